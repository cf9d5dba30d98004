/** The AWS method: its configuration and roles are kept; nobody can log in with it. */
import { defineEngine, refuse, t } from '../../kit/kit.ts'
import { nameList, type Settings, storedSettings, unsupported } from '../../kit/stored-settings.ts'
import { checkRole, roleFields, UNSET_ROLE } from './role.ts'

const NO_LOGIN = 'login with aws is not supported by this build'
const ACCESS_LIST_SECONDS = 72 * 3600
const DENY_LIST_SECONDS = 180 * 86_400

const ALIASES = {
  iam_alias: ['role_id', 'unique_id', 'canonical_arn', 'full_arn'],
  ec2_alias: ['role_id', 'instance_id', 'image_id'],
}
/** What may be told of a login; the first two are what `default` stands for. */
const METADATA = {
  iam_metadata: [
    'account_id',
    'auth_type',
    'canonical_arn',
    'client_arn',
    'client_user_id',
    'inferred_aws_region',
    'inferred_entity_id',
    'inferred_entity_type',
  ],
  ec2_metadata: ['account_id', 'auth_type', 'ami_id', 'instance_id', 'region'],
}

function metadata(all: Settings, name: keyof typeof METADATA): string[] {
  const known = METADATA[name]
  const given = all[name] as string[]
  if (given.length === 1 && given[0] === 'default') return known.slice(0, 2)
  if (given.every((field) => known.includes(field))) return given
  return refuse(`"${name}" contains an unavailable field, please select from "${known.join(', ')}"`)
}

function checkIdentity(all: Settings): Settings {
  for (const [name, known] of Object.entries(ALIASES)) {
    if (known.includes(String(all[name]))) continue
    refuse(`invalid ${name} alias type; expected one of ${known.join(', ')}`)
  }
  return {
    iam_metadata: metadata(all, 'iam_metadata'),
    ec2_metadata: metadata(all, 'ec2_metadata'),
  }
}

const identityDefaults = {
  iam_alias: 'role_id',
  iam_metadata: METADATA.iam_metadata.slice(0, 2),
  ec2_alias: 'role_id',
  ec2_metadata: METADATA.ec2_metadata.slice(0, 2),
}

const tidying = (names: readonly string[], seconds: number) =>
  storedSettings(
    names.map((name) => `config/tidy/${name}`),
    {
      help: 'How often what has expired would be removed.',
      toldApart: true,
      fields: {
        safety_buffer: t.duration({ help: 'How long it is kept.', default: seconds, clear: true }),
        disable_periodic_tidy: t.bool({ help: 'Only when asked.', clear: true }),
      },
    },
  )

/** Lists of what has logged in: nothing can, so they are empty. */
const emptyList = (name: string) => [
  nameList(name, 'identity-accesslist/'),
  unsupported(`${name}/:name`, NO_LOGIN, { verbs: ['read', 'delete'] }),
]

export default defineEngine({
  type: 'aws',
  class: 'auth',
  help: 'Configuration for logins of AWS, which this build does not have.',
  endpoints: [
    ...storedSettings('config/client', {
      help: 'How AWS would be reached.',
      toldApart: true,
      fields: {
        access_key: t.string({ help: 'Access key id.' }),
        secret_key: t.string({ help: 'Secret access key.', sensitive: true }),
        endpoint: t.string({ help: 'Endpoint of EC2.', clear: true }),
        iam_endpoint: t.string({ help: 'Endpoint of IAM.', clear: true }),
        sts_endpoint: t.string({ help: 'Endpoint of STS.', clear: true }),
        sts_region: t.string({ help: 'Region of STS.', clear: true }),
        use_sts_region_from_client: t.bool({ help: 'The client names the region.', clear: true }),
        iam_server_id_header_value: t.string({ help: 'What X-Vault-AWS-IAM-Server-ID must say.' }),
        allowed_sts_header_values: t.list({ help: 'Headers a signed request may have.' }),
        max_retries: t.int({
          help: 'Retries of a call; -1 = as AWS has it.',
          default: -1,
          clear: true,
        }),
      },
      accept(all) {
        if (all['sts_region'] !== '' && all['sts_endpoint'] === '') {
          refuse("'sts_endpoint' must be set when 'sts_region' is")
        }
      },
    }),
    ...storedSettings('config/identity', {
      help: 'What a login would tell of itself.',
      verbs: ['read'],
      fields: {
        iam_alias: t.string({ help: `One of ${ALIASES.iam_alias.join(', ')}.`, clear: true }),
        iam_metadata: t.list({ help: 'Names of metadata, or default.', clear: true }),
        ec2_alias: t.string({ help: `One of ${ALIASES.ec2_alias.join(', ')}.`, clear: true }),
        ec2_metadata: t.list({ help: 'Names of metadata, or default.', clear: true }),
      },
      unset: identityDefaults,
      absent: identityDefaults,
      accept: checkIdentity,
      example: { iam_alias: 'unique_id' },
    }),
    ...storedSettings('config/certificate/:cert_name', {
      help: 'A certificate that signed documents would be checked with.',
      lists: ['config/certificates'],
      toldApart: true,
      fields: {
        aws_public_cert: t.string({ help: 'The certificate: PEM, or its base64.' }),
        type: t.string({ help: 'pkcs7 or identity.', default: 'pkcs7', clear: true }),
      },
      accept(all) {
        if (all['aws_public_cert'] === '') refuse('missing aws_public_cert')
        if (all['type'] !== 'pkcs7' && all['type'] !== 'identity') {
          refuse('unsupported type; expected pkcs7 or identity')
        }
      },
    }),
    ...storedSettings('config/sts/:account_id', {
      help: 'The role that would be assumed for an account.',
      lists: ['config/sts'],
      toldApart: true,
      fields: { sts_role: t.string({ help: 'ARN of the role.' }) },
      accept(all) {
        if (all['sts_role'] === '') refuse('sts role cannot be empty')
      },
    }),
    ...tidying(['identity-accesslist', 'identity-whitelist'], ACCESS_LIST_SECONDS),
    ...tidying(['roletag-denylist', 'roletag-blacklist'], DENY_LIST_SECONDS),
    ...storedSettings('role/:role', {
      help: 'Who may log in, and what tokens that gives.',
      lists: ['role', 'roles'],
      anyCase: true,
      toldApart: true,
      tokens: ['policies', 'ttl', 'max_ttl', 'period'],
      fields: roleFields,
      unset: UNSET_ROLE,
      accept: checkRole,
      example: {
        bound_iam_principal_arn: ['arn:aws:iam::123456789012:role/web'],
        token_policies: ['web'],
      },
    }),
    ...emptyList('identity-accesslist'),
    ...emptyList('identity-whitelist'),
    ...['roletag-denylist', 'roletag-blacklist'].flatMap((name) => [
      nameList(name, 'roletag-denylist/'),
      unsupported(`${name}/:role_tag`, NO_LOGIN, { verbs: ['read', 'write', 'delete'] }),
    ]),
    ...['config/rotate-root', 'role/:role/tag'].map((path) => unsupported(path, NO_LOGIN)),
    ...['identity-accesslist', 'identity-whitelist', 'roletag-denylist', 'roletag-blacklist'].map(
      (name) => unsupported(`tidy/${name}`, NO_LOGIN),
    ),
    unsupported('login', NO_LOGIN, { access: 'login' }),
  ],
})
