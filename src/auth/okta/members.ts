/** Users and groups of Okta that have policies here. */
import { type EntryStore, t } from '../../kit/kit.ts'
import { settingsAt, storedSettings } from '../../kit/stored-settings.ts'

const policies = t.list({ help: 'Policies of a login.', clear: true })

export const memberEndpoints = [
  ...storedSettings('users/:name', {
    help: 'The policies and groups a user has besides those of Okta.',
    lists: ['users'],
    anyCase: true,
    name: t.segment({ help: 'Name of the user.' }),
    fields: {
      groups: t.list({ help: 'Groups besides those of Okta.' }),
      policies,
    },
    unset: { groups: [], policies: [] },
    example: { policies: ['web'], groups: ['developers'] },
  }),
  ...storedSettings('groups/:name', {
    help: 'The policies of a group.',
    lists: ['groups'],
    anyCase: true,
    name: t.segment({ help: 'Name of the group.' }),
    fields: { policies },
    unset: { policies: [] },
    example: { policies: ['web'] },
  }),
]

type Member = { policies: string[]; groups: string[] }

export async function findMember(
  store: EntryStore,
  kind: 'users' | 'groups',
  name: string,
): Promise<Member> {
  const key = `${kind}/${name.toLowerCase()}`
  const stored = name === '' || name.includes('/') ? undefined : await settingsAt(store, key)
  const list = (field: string) => (stored?.settings[field] ?? []) as string[]
  return { policies: list('policies'), groups: list('groups') }
}
