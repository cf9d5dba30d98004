/**
 * Names of people as they are typed, for servers elsewhere that know who is who: all spellings that
 * such a server may take for one are one here too.
 */

const NAME_BYTES_MAX = 256
/** What a directory may ignore when it compares names, so that two spellings would be one person. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u

/**
 * A user's name as it is asked for, whatever way it was typed: compatibility forms composed, space
 * around it gone and space inside single, as directories compare (RFC 4518). Undefined when it is no
 * name.
 */
export function typedName(given: string): string | undefined {
  const name = given.normalize('NFKC').replaceAll(/\s+/gu, ' ').trim()
  if (name === '' || Buffer.byteLength(name) > NAME_BYTES_MAX || INVISIBLE.test(name)) {
    return undefined
  }
  return name
}
