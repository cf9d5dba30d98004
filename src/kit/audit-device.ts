/** Where audit lines go. A device takes whole lines; when `write` returns, they are handed over. */

export interface AuditDevice {
  /** Throws when the lines could not be written; the request they belong to is then refused. */
  write(lines: string): void
  /** After log rotation: the file under the name is a new one. */
  reopen(): void
  close(): void
}

export type AuditDeviceType = {
  readonly type: string
  /** Opens the device; throws a Failure (400) that says which option is wrong. */
  open(options: Readonly<Record<string, string>>): AuditDevice
}
