/** AWS: its configuration and roles are kept; credentials are not made. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'
import { DurationError, formatGoDuration, parseDurationSeconds } from '../../lib/duration.ts'

const NO_CREDENTIALS = 'credentials from aws are not supported by this build'
const USERNAME_TEMPLATE =
  '{{ if (eq .Type "STS") }}{{ printf "vault-%s-%s" (unix_time) (random 20) | truncate 32 }}' +
  '{{ else }}{{ printf "vault-%s-%s-%s" (printf "%s-%s" (.DisplayName) (.PolicyName) | ' +
  'truncate 42) (unix_time) (random 20) | truncate 64 }}{{ end }}'
const CREDENTIAL_TYPES = ['iam_user', 'assumed_role', 'federation_token', 'session_token']
const USER_PATH = /^\/(?:[\x21-\x7f]{0,510}\/)?$/

function checkRole(all: Settings): Settings {
  const { credential_type: type, user_path: path } = all
  if (type === '') refuse('must supply credential_type')
  if (!CREDENTIAL_TYPES.includes(String(type))) {
    refuse(`unrecognized credential_type; expected one of ${CREDENTIAL_TYPES.join(', ')}`)
  }
  if (!USER_PATH.test(String(path))) refuse('user_path must begin and end with a slash')
  for (const name of ['default_sts_ttl', 'max_sts_ttl']) {
    if (all[name] !== 0 && type === 'iam_user') {
      refuse(`${name} is only valid for assumed_role and federation_token credential types`)
    }
  }
  const max = Number(all['max_sts_ttl'])
  if (max > 0 && Number(all['default_sts_ttl']) > max) {
    refuse('"default_sts_ttl" value must be less than or equal to "max_sts_ttl" value')
  }
  return { policy_document: compactJson(String(all['policy_document'])) }
}

function compactJson(document: string): string {
  if (document === '') return ''
  try {
    return JSON.stringify(JSON.parse(document))
  } catch {
    return refuse('cannot parse policy document: expected JSON')
  }
}

/** Kept and shown as Go prints a duration. */
function leaseTime(all: Settings, name: string): string {
  if (all[name] === '') refuse(`'${name}' is a required parameter`)
  try {
    return formatGoDuration(parseDurationSeconds(all[name]))
  } catch (error) {
    if (error instanceof DurationError) refuse(`'${name}' is invalid: ${error.message}`)
    throw error
  }
}

export default defineEngine({
  type: 'aws',
  help: 'Configuration for credentials of AWS, which this build does not make.',
  endpoints: [
    ...storedSettings('config/root', {
      help: 'How AWS would be reached.',
      verbs: ['read'],
      replaced: true,
      fields: {
        access_key: t.string({ help: 'Access key id.' }),
        secret_key: t.string({ help: 'Secret access key.', sensitive: true }),
        region: t.string({ help: 'Region of the API calls.', clear: true }),
        iam_endpoint: t.string({ help: 'Endpoint of IAM.', clear: true }),
        sts_endpoint: t.string({ help: 'Endpoint of STS.', clear: true }),
        max_retries: t.int({
          help: 'Retries of a call; -1 = as AWS has it.',
          default: -1,
          clear: true,
        }),
        username_template: t.string({ help: 'How user names are made.' }),
      },
      accept: (all) =>
        all['username_template'] === '' ? { username_template: USERNAME_TEMPLATE } : {},
    }),
    ...storedSettings('config/lease', {
      help: 'How long credentials would last.',
      verbs: ['read'],
      replaced: true,
      fields: {
        lease: t.string({ help: 'The first lifetime.', clear: true }),
        lease_max: t.string({ help: 'The longest lifetime.', clear: true }),
      },
      accept: (all) => ({ lease: leaseTime(all, 'lease'), lease_max: leaseTime(all, 'lease_max') }),
      example: { lease: '1h', lease_max: '24h' },
    }),
    ...storedSettings('roles/:name', {
      help: 'What credentials of a role would be allowed.',
      lists: ['roles'],
      fields: {
        credential_type: t.string({ help: `One of ${CREDENTIAL_TYPES.join(', ')}.`, clear: true }),
        policy_document: t.string({ help: 'A policy of IAM, as JSON.' }),
        policy_arns: t.list({ help: 'ARNs of policies.' }),
        role_arns: t.list({ help: 'ARNs of roles that may be assumed.' }),
        iam_groups: t.list({ help: 'Groups a user would be put in.' }),
        iam_tags: t.pairs({ help: 'Tags a user would get.' }),
        default_sts_ttl: t.duration({ help: 'The first lifetime, of STS.', clear: true }),
        max_sts_ttl: t.duration({ help: 'The longest lifetime, of STS.', clear: true }),
        permissions_boundary_arn: t.string({ help: 'ARN of a boundary of permissions.' }),
        user_path: t.string({ help: 'Path of a user.', default: '/' }),
        policy: t.string({ help: 'Use policy_document instead.', deprecated: true }),
        arn: t.string({ help: 'Use policy_arns instead.', deprecated: true }),
      },
      accept: checkRole,
      example: {
        credential_type: 'iam_user',
        policy_arns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      },
    }),
    ...storedSettings('static-roles/:name', {
      help: 'Keys of a user that exists already; none can be made here.',
      lists: ['static-roles'],
      fields: {
        username: t.string({ help: 'Name of the user.' }),
        rotation_period: t.duration({ help: 'How often the keys change.', clear: true }),
      },
      // Making one rotates the keys of the user at once.
      accept: () => refuse(NO_CREDENTIALS),
    }),
    unsupported('config/rotate-root', NO_CREDENTIALS),
    ...['creds/:name', 'sts/:name', 'static-creds/:name'].map((path) =>
      unsupported(path, NO_CREDENTIALS, { verbs: ['read', 'write'] }),
    ),
  ],
})
