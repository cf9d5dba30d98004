/** Who somebody is, over all mounts they log in through (vault-protocol.md, section 12). Times are ISO 8601. */

/** What a mount knows an entity by. */
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
  readonly creation_time: string
  readonly last_update_time: string
}

export type Group = {
  readonly id: string
  readonly name: string
  /** External groups have their members from the logins of a mount, by their alias. */
  readonly type: 'internal' | 'external'
  readonly metadata: Readonly<Record<string, string>>
  readonly policies: readonly string[]
  readonly member_entity_ids: readonly string[]
  readonly member_group_ids: readonly string[]
  readonly alias?: Alias
  readonly modify_index: number
  readonly creation_time: string
  readonly last_update_time: string
}
