/** Who somebody is, over all mounts they log in through (vault-protocol.md, section 12). Times are ISO 8601. */

/** What a mount knows an entity (or a foreign group) by. */
export type Alias = {
  readonly id: string
  readonly name: string
  readonly mount_accessor: string
  /** Set anew at each login by the mount. */
  readonly metadata: Readonly<Record<string, string>>
  readonly custom_metadata: Readonly<Record<string, string>>
  readonly local: boolean
  readonly creation_time: string
  readonly last_update_time: string
  readonly merged_from_canonical_ids: readonly string[]
}

export type Entity = {
  readonly id: string
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
  readonly policies: readonly string[]
  readonly disabled: boolean
  readonly aliases: readonly Alias[]
  readonly merged_entity_ids: readonly string[]
  /** Groups it is itself a member of; only groups.ts changes them. */
  readonly group_ids: readonly string[]
  readonly creation_time: string
  readonly last_update_time: string
}

/**
 * A group without its members, who may be thousands: a request needs what the group grants, not who
 * else is in it.
 */
export type Group = {
  readonly id: string
  readonly name: string
  /** External groups have their members from the logins of a mount, by their alias. */
  readonly type: 'internal' | 'external'
  readonly metadata: Readonly<Record<string, string>>
  readonly policies: readonly string[]
  /** Groups it is itself a member of; only groups.ts changes them. */
  readonly parent_group_ids: readonly string[]
  readonly alias?: Alias
  readonly modify_index: number
  readonly creation_time: string
  readonly last_update_time: string
}
