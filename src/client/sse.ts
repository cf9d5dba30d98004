/**
 * Reads server-sent events as they come in, cut at any byte:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

export type SseMessage = { type: string; data: string }

export type SseReader = {
  /** Throws when a message becomes larger than anything a server of ours would send. */
  feed(chunk: Uint8Array): void
}

type Told = {
  /** After each whole block: the id the stream is at by then. Before the message, if there is one. */
  onId: (id: string) => void
  onMessage: (message: SseMessage) => void
}

const CHARS_MAX = 1024 * 1024

export function sseReader({ onId, onMessage }: Told): SseReader {
  const decoder = new TextDecoder()
  let rest = ''
  /** The last character was a CR: a LF that comes next belongs to it. */
  let afterReturn = false
  let data: string[] = []
  let chars = 0
  let type = ''
  let id: string | undefined

  function line(text: string): void {
    if (text === '') return dispatch()
    const colon = text.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') {
      chars += value.length
      data.push(value)
    } else if (field === 'event') type = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }

  function dispatch(): void {
    const message = { type: type === '' ? 'message' : type, data: data.join('\n') }
    const isMessage = data.length > 0
    data = []
    chars = 0
    type = ''
    // Only a whole block counts: one that was cut comes again from the id before it.
    if (id !== undefined) onId(id)
    if (isMessage) onMessage(message)
  }

  return {
    feed(chunk) {
      let text = decoder.decode(chunk, { stream: true })
      if (afterReturn && text.startsWith('\n')) text = text.slice(1)
      if (text === '') return
      afterReturn = text.endsWith('\r')
      const lines = (rest + text).split(/\r\n|\r|\n/)
      rest = lines.pop() ?? ''
      for (const each of lines) line(each)
      if (rest.length + chars > CHARS_MAX) throw new Error('an event is larger than 1 MiB')
    },
  }
}
