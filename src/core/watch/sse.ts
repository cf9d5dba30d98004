/** Server-sent events as text: https://html.spec.whatwg.org/multipage/server-sent-events.html */

/** As those who watch are told it. */
export type ToldEvent = {
  readonly id: string
  readonly type: string
  /** From the namespace: the mount's path and the place below it. Of a `reset`: what was asked for. */
  readonly path: string
  readonly version?: number
  readonly generation?: number
  /** RFC 3339. */
  readonly time: string
}

/** JSON has no bare line breaks, so the data is always one line. */
export function sseEvent(event: ToldEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}

/** A position without an event: a client remembers it, and tells nobody. */
export const ssePosition = (id: string): string => `id: ${id}\n\n`

export const sseHeartbeat = (id: string): string => `: heartbeat\nid: ${id}\n\n`
