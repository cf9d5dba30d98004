/**
 * Settings that are stored and shown: the configuration of an engine whose foreign system this build
 * does not talk to. An entry is declared once, as fields; writing by parts, reading with defaults,
 * listing and deleting follow. What would use them is declared with `unsupported`.
 */
import { type Field, t } from '../schema/field.ts'
import { type Call, type EntryStore } from './call.ts'
import { type Access, type Endpoint, endpoint, type Fields, type Verb } from './engine.ts'
import { type Failure, refuse } from './failure.ts'
import { type Answer } from './reply.ts'
import {
  applyRoleTokens,
  legacyTokenFields,
  type RoleTokens,
  shownRoleTokens,
} from './legacy-token-fields.ts'
import { TOKEN_SETTINGS, tokenFields } from './token-fields.ts'

/** By field name. What was never given has the field's default, or nothing of its type. */
export type Settings = Readonly<Record<string, unknown>>

type SettingsSpec = {
  help: string
  fields: Fields
  /** What a name may be; a plain one unless said. */
  name?: Field<unknown>
  /** Where the names are listed, for a path with a name in it. */
  lists?: readonly string[]
  /** Names are the same in upper and lower case. */
  anyCase?: boolean
  /** Policies tell making one from changing it. */
  toldApart?: boolean
  /** The token_* settings besides, with the old names it has of them. */
  tokens?: readonly (keyof typeof legacyTokenFields)[]
  /** All but the write, unless said. */
  verbs?: readonly ('read' | 'delete')[]
  /** What is not given in a write is forgotten. */
  replaced?: boolean
  /** Lists that were never given are null unless said; here are those, and others, that differ. */
  unset?: Settings
  /** What a read shows where nothing was written; else that is a 404, or this. */
  absent?: Settings
  notThere?: () => Failure
  /** A read shows the name among the rest. */
  named?: boolean
  /** Refuses what cannot be. May return values to be stored in place of the given ones. */
  accept?: (all: Settings, call: Call<Settings>) => Promise<Settings | void> | Settings | void
  /** What a read shows, of what it would show. */
  show?: (shown: Settings) => Record<string, unknown>
  example?: Record<string, unknown>
}

type Stored = { settings: Settings; tokens?: RoleTokens }

/**
 * The endpoints of an entry. `paths` are its spellings, of which the first says where it is stored:
 * `config` is one entry, `role/:name` many.
 */
export function storedSettings(paths: string | readonly string[], spec: SettingsSpec): Endpoint[] {
  const all = typeof paths === 'string' ? [paths] : paths
  const [prefix = '', capture] = all[0]!.split(':')
  const fields = allFields(spec, capture)
  const keyOf = ({ data }: Call<Settings>): string => {
    const name = capture === undefined ? '' : String(data[capture])
    return prefix + (spec.anyCase ? name.toLowerCase() : name)
  }
  const stored = (call: Call<Settings>) => call.store.get<Stored>(keyOf(call))
  const verbs = spec.verbs ?? ['read', 'delete']
  const entry = (path: string) =>
    endpoint(path, {
      help: spec.help,
      fields,
      ...(spec.toldApart && { exists: async (call) => (await stored(call)) !== undefined }),
      ...(verbs.includes('read') && {
        read: async (call) => shown(spec, call, await stored(call)),
      }),
      write: async (call) => {
        call.store.put(keyOf(call), await changed(spec, call, await stored(call)))
        return undefined
      },
      ...(verbs.includes('delete') && {
        delete: (call) => {
          call.store.remove(keyOf(call))
          return undefined
        },
      }),
      ...(spec.example && { example: spec.example }),
    })
  return [...all.map(entry), ...(spec.lists ?? []).map((path) => nameList(path, prefix))]
}

function allFields(spec: SettingsSpec, capture: string | undefined): Fields {
  const legacy = (spec.tokens ?? []).map((name) => [name, legacyTokenFields[name]] as const)
  return {
    ...(capture !== undefined && { [capture]: spec.name ?? t.name({ help: 'Its name.' }) }),
    ...spec.fields,
    ...(spec.tokens && { ...tokenFields, ...Object.fromEntries(legacy) }),
  }
}

/** The names below a prefix of the store. */
export function nameList(path: string, prefix: string): Endpoint {
  return endpoint(path, {
    help: 'The names of all.',
    fields: {},
    list: async ({ store }: { store: EntryStore }) => ({ keys: await store.list(prefix) }),
  })
}

async function changed(
  spec: SettingsSpec,
  call: Call<Settings>,
  before: Stored | undefined,
): Promise<Stored> {
  const names = Object.keys(spec.fields).filter((name) => call.given.has(name))
  const given = Object.fromEntries(names.map((name) => [name, call.data[name]]))
  const settings: Settings = { ...(spec.replaced ? undefined : before?.settings), ...given }
  const tokens = spec.tokens && applyRoleTokens(before?.tokens ?? TOKEN_SETTINGS, call.data)
  const accepted = await spec.accept?.({ ...withDefaults(spec, settings), ...tokens }, call)
  return { settings: { ...settings, ...accepted }, ...(tokens && { tokens }) }
}

function shown(spec: SettingsSpec, { data }: Call<Settings>, stored: Stored | undefined): Answer {
  if (!stored && spec.notThere) throw spec.notThere()
  if (!stored) return spec.absent
  const visible = Object.entries(withDefaults(spec, stored.settings)).filter(([name]) => {
    const field = spec.fields[name]
    return !field?.sensitive && !(field?.deprecated && stored.settings[name] === undefined)
  })
  const settings = Object.fromEntries(visible)
  const tokens = stored.tokens && shownRoleTokens(stored.tokens)
  const name = spec.named && { name: data['name'] }
  return { ...(spec.show?.(settings) ?? settings), ...tokens, ...name }
}

function withDefaults(spec: SettingsSpec, settings: Settings): Settings {
  const fields = Object.entries(spec.fields)
  const unset = fields.map(([name, field]) => [name, spec.unset?.[name] ?? nothing(field)] as const)
  return { ...Object.fromEntries(unset), ...settings }
}

/** The default of a field, or what its type has for nothing. */
function nothing({ fallback, schema }: Field<unknown>): unknown {
  if (fallback !== undefined) return fallback
  const type = schema['format'] ?? schema['type']
  if (type === 'string') return ''
  if (type === 'boolean') return false
  return type === 'integer' || type === 'duration' ? 0 : null
}

/**
 * An endpoint that only says what this build cannot do, with a 400. What it is sent is not looked
 * at.
 */
export function unsupported(
  path: string,
  text: string,
  { access, verbs = ['write'] }: { access?: Access; verbs?: readonly Verb[] } = {},
): Endpoint {
  const captures = [...path.matchAll(/:([^/]+)/g)].map(([, name]) => name!)
  const answer = () => refuse(text)
  return endpoint(path, {
    help: `Not there: ${text}.`,
    fields: Object.fromEntries(captures.map((name) => [name, t.segment({ help: 'Its name.' })])),
    anyBody: true,
    ...(access && { access }),
    ...Object.fromEntries(verbs.map((verb) => [verb, answer])),
  })
}

/** What is stored at a place, for those that use it. */
export async function settingsAt(store: EntryStore, key: string): Promise<Stored | undefined> {
  return await store.get<Stored>(key)
}

/** Changes the settings at a place of the store by hand; `change` gets undefined where none are. */
export async function changeSettings(
  store: EntryStore,
  key: string,
  change: (settings: Settings | undefined) => Settings,
): Promise<void> {
  const stored = await store.get<Stored>(key)
  store.put(key, { ...stored, settings: change(stored?.settings) })
}
