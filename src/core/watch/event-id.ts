/**
 * The id of an event: its place in the log, and the mark of the record there, so that an id of
 * another server, or of a time that a restored copy does not know, is no id of this one.
 *
 *   000000001a2f 000003 9c41e07b      revision, place in the record, mark: hex, without the spaces
 *
 * Ids sort as text in the order of the events. Clients take them as they are.
 */

export type Position = {
  readonly revision: number
  /** Of the last event that was seen there. */
  readonly index: number
  readonly mark: string
}

/** Before the first event that ever was. */
export const START: Position = { revision: 0, index: 0, mark: '00000000' }

const ID = /^([0-9a-f]{12})([0-9a-f]{6})([0-9a-f]{8})$/

export function idOf({ revision, index, mark }: Position): string {
  return hex(revision, 12) + hex(index, 6) + mark
}

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0')

/** Undefined for whatever is no id. */
export function positionOf(id: string): Position | undefined {
  const [, revision, index, mark] = ID.exec(id) ?? []
  if (revision === undefined || index === undefined || mark === undefined) return undefined
  return { revision: parseInt(revision, 16), index: parseInt(index, 16), mark }
}
