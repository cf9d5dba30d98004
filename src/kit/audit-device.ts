/** Where audit lines go. A device takes whole lines, one or more at a time, in order. */

export interface AuditDevice {
  /**
   * When it returns, or when its promise resolves, the lines are handed over. Throws or rejects when
   * they could not be written; the requests they belong to are then refused, unless another device
   * took them. A device that cannot tell within its own time limit rejects.
   */
  write(lines: string): void | Promise<void>
  /**
   * What has been written, in blocks of whole lines, the newest first; at most so many bytes. Absent =
   * it cannot be read back.
   */
  newestFirst?(bytesMax: number): AsyncIterable<Buffer>
  /** After log rotation: the file under the name is a new one. */
  reopen(): void
  close(): void
}

export type AuditDeviceType = {
  readonly type: string
  /** Opens the device; throws a Failure (400) that says which option is wrong. */
  open(options: Readonly<Record<string, string>>): AuditDevice
}
