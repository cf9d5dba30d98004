/** Where an error was thrown, without its message: that may quote what a caller sent. */
export function stackPlaces(error: Error): string[] {
  const { stack = '', message } = error
  // The stack begins with the message, and a line of that may look like a place too.
  const at = stack.indexOf(message)
  if (at < 0) return []
  const lines = stack.slice(at + message.length).split('\n')
  return lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim())
}
