/** One generation of a credential, as an app uses it. Printing one shows where it is from, only. */
import { Secret } from '../../lib/secret.ts'
import { InvalidRequestError } from '../errors.ts'
import { pick } from '../field.ts'
import { type Reading } from './reading.ts'
import { type SourceReference } from './source-reference.ts'

/** Which fields hold what. Default: `username` and `password`. */
export type FieldNames = { username?: string | undefined; password?: string | undefined }

const INSPECT = Symbol.for('nodejs.util.inspect.custom')

export class Credential {
  /** The server's number for it; undefined where it has none. */
  readonly generation: number | undefined
  /** Counts from 1 in this process: the one with the larger number is the newer one. */
  readonly serial: number
  readonly #path: string
  readonly #data: Readonly<Record<string, unknown>>
  readonly #field: readonly string[] | undefined
  readonly #names: FieldNames

  constructor(
    reading: Pick<Reading, 'data' | 'generation'>,
    about: { reference: SourceReference; names: FieldNames; serial: number },
  ) {
    this.generation = reading.generation
    this.serial = about.serial
    this.#data = reading.data
    this.#path = about.reference.path
    this.#field = about.reference.field
    this.#names = about.names
  }

  /** Undefined when there is none: a password alone is a credential, too. */
  get username(): string | undefined {
    const name = this.#names.username ?? 'username'
    return Object.hasOwn(this.#data, name) ? this.#text([name]) : undefined
  }

  /** The field that the reference names, else the password. */
  get password(): Secret {
    return this.#secret(this.#field ?? [this.#names.password ?? 'password'])
  }

  /** Any other field. Throws InvalidRequestError when there is none of that name. */
  field(name: string): Secret {
    return this.#secret([name])
  }

  #secret(field: readonly string[]): Secret {
    const label = `${this.#path}#${field.join('/')}`
    const { generation } = this
    return new Secret(
      this.#text(field),
      generation === undefined ? label : `${label} v${generation}`,
    )
  }

  #text(field: readonly string[]): string {
    const picked = pick({ data: this.#data }, { field })
    if ('value' in picked) return picked.value
    throw new InvalidRequestError({ path: `${this.#path}#${field.join('/')}`, hint: picked.reason })
  }

  toJSON(): string {
    return '[secret]'
  }

  toString(): string {
    return '[secret]'
  }

  [INSPECT](): string {
    return `[credential ${this.#path} generation ${this.generation ?? 'unknown'}]`
  }
}
