/** The engines that only keep their configuration: what they take, what they show, what they refuse. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'
import { dataOf, testEngine } from '../../test/support/test-engine.ts'
import { CONFIGURATION } from './builtin-configuration.ts'

type Body = Record<string, unknown>

function engineOf(of: string) {
  const [kind, type] = of.split(' ')
  const engine = CONFIGURATION.find((one) => one.class === kind && one.type === type)
  ok(engine, of)
  return testEngine(engine)
}

const TOKENS = {
  token_bound_cidrs: [],
  token_explicit_max_ttl: 0,
  token_max_ttl: 0,
  token_no_default_policy: false,
  token_num_uses: 0,
  token_period: 0,
  token_policies: [],
  token_ttl: 0,
  token_type: 'default',
}
const GOOGLE = JSON.stringify({
  project_id: 'p',
  client_email: 'e@p',
  client_id: '1',
  private_key_id: 'k',
  private_key: 'CANARY',
})

/** Engine, path, what is written, what is read. `CANARY` must not come back. */
const READS: readonly (readonly [string, string, Body, Body])[] = [
  [
    'auth aws',
    'config/client',
    { access_key: 'a', secret_key: 'CANARY' },
    {
      access_key: 'a',
      endpoint: '',
      iam_endpoint: '',
      sts_endpoint: '',
      sts_region: '',
      use_sts_region_from_client: false,
      iam_server_id_header_value: '',
      allowed_sts_header_values: null,
      max_retries: -1,
    },
  ],
  [
    'auth aws',
    'config/identity',
    { iam_alias: 'unique_id', ec2_metadata: '' },
    {
      iam_alias: 'unique_id',
      iam_metadata: ['account_id', 'auth_type'],
      ec2_alias: 'role_id',
      ec2_metadata: [],
    },
  ],
  [
    'auth aws',
    'config/certificate/c',
    { aws_public_cert: 'pem' },
    { aws_public_cert: 'pem', type: 'pkcs7' },
  ],
  ['auth aws', 'config/sts/123', { sts_role: 'arn' }, { sts_role: 'arn' }],
  [
    'auth aws',
    'config/tidy/identity-whitelist',
    {},
    { safety_buffer: 259200, disable_periodic_tidy: false },
  ],
  [
    'auth aws',
    'config/tidy/roletag-denylist',
    { safety_buffer: '1h' },
    { safety_buffer: 3600, disable_periodic_tidy: false },
  ],
  [
    'auth aws',
    'role/r',
    { bound_iam_principal_arn: 'x', policies: 'a' },
    {
      auth_type: 'iam',
      bound_account_id: [],
      bound_ami_id: [],
      bound_ec2_instance_id: null,
      bound_iam_instance_profile_arn: [],
      bound_iam_principal_arn: ['x'],
      bound_iam_role_arn: [],
      bound_region: [],
      bound_subnet_id: [],
      bound_vpc_id: [],
      inferred_entity_type: '',
      inferred_aws_region: '',
      resolve_aws_unique_ids: true,
      role_tag: '',
      allow_instance_migration: false,
      disallow_reauthentication: false,
      ...TOKENS,
      token_policies: ['a'],
      policies: ['a'],
    },
  ],
  [
    'auth azure',
    'config',
    { tenant_id: 't', resource: 'r', client_secret: 'CANARY' },
    {
      tenant_id: 't',
      resource: 'r',
      environment: '',
      client_id: '',
      root_password_ttl: 15768000,
    },
  ],
  [
    'auth azure',
    'role/r',
    { bound_locations: 'x', num_uses: 3 },
    {
      bound_service_principal_ids: null,
      bound_group_ids: null,
      bound_locations: ['x'],
      bound_subscription_ids: null,
      bound_resource_groups: null,
      bound_scale_sets: null,
      ...TOKENS,
      token_num_uses: 3,
      num_uses: 3,
    },
  ],
  [
    'auth gcp',
    'config',
    { credentials: GOOGLE, iam_metadata: 'role' },
    {
      client_email: 'e@p',
      client_id: '1',
      private_key_id: 'k',
      project_id: 'p',
      iam_alias: 'role_id',
      iam_metadata: ['role'],
      gce_alias: 'role_id',
      gce_metadata: [
        'instance_creation_timestamp',
        'instance_id',
        'instance_name',
        'project_id',
        'project_number',
        'role',
        'service_account_id',
        'service_account_email',
        'zone',
      ],
    },
  ],
  [
    'auth gcp',
    'role/r',
    { type: 'iam', project_id: 'p', bound_service_accounts: '*' },
    {
      type: 'iam',
      bound_projects: ['p'],
      bound_service_accounts: ['*'],
      add_group_aliases: false,
      max_jwt_exp: 900,
      allow_gce_inference: true,
      ...TOKENS,
    },
  ],
  [
    'auth gcp',
    'role/r',
    { type: 'gce', bound_labels: 'a:b', bound_zone: 'z' },
    {
      type: 'gce',
      add_group_aliases: false,
      bound_zones: ['z'],
      bound_labels: { a: 'b' },
      ...TOKENS,
    },
  ],
  [
    'auth kerberos',
    'config',
    { keytab: 'CANARY', service_account: 's' },
    {
      service_account: 's',
      remove_instance_name: false,
      add_group_aliases: false,
    },
  ],
  ['auth kerberos', 'groups/g', { policies: 'a,b' }, { policies: ['a', 'b'] }],
  ['auth oci', 'config', { home_tenancy_id: 'o' }, { home_tenancy_id: 'o' }],
  ['auth oci', 'role/r', { ocid_list: 'x' }, { ocid_list: ['x'], ...TOKENS }],
  [
    'auth cf',
    'config',
    {
      identity_ca_certificates: 'pem',
      cf_api_addr: 'https://x',
      cf_username: 'u',
      cf_password: 'CANARY',
    },
    {
      identity_ca_certificates: ['pem'],
      cf_api_addr: 'https://x',
      cf_api_trusted_certificates: [],
      cf_api_mutual_tls_certificate: '',
      cf_username: 'u',
      cf_client_id: '',
      login_max_seconds_not_before: 300,
      login_max_seconds_not_after: 60,
    },
  ],
  [
    'auth cf',
    'roles/r',
    {},
    {
      bound_application_ids: null,
      bound_instance_ids: null,
      bound_organization_ids: null,
      bound_space_ids: null,
      disable_ip_matching: false,
      ...TOKENS,
    },
  ],
  [
    'auth alicloud',
    'role/r',
    { arn: 'acs:ram::1:role/x' },
    { arn: 'acs:ram::1:role/x', ...TOKENS },
  ],

  [
    'secret aws',
    'config/lease',
    { lease: '60s', lease_max: 120 },
    { lease: '1m0s', lease_max: '2m0s' },
  ],
  [
    'secret aws',
    'roles/r',
    { credential_type: 'iam_user', policy_document: '{ "a": 1 }' },
    {
      credential_type: 'iam_user',
      policy_document: '{"a":1}',
      policy_arns: null,
      role_arns: null,
      iam_groups: null,
      iam_tags: null,
      default_sts_ttl: 0,
      max_sts_ttl: 0,
      permissions_boundary_arn: '',
      user_path: '/',
    },
  ],
  [
    'secret azure',
    'config',
    { subscription_id: 's', tenant_id: 't', client_secret: 'CANARY' },
    {
      subscription_id: 's',
      tenant_id: 't',
      client_id: '',
      environment: '',
      root_password_ttl: 15768000,
    },
  ],
  [
    'secret azure',
    'roles/r',
    { azure_roles: '[{"role_name":"R"}]', ttl: '1h' },
    {
      application_object_id: '',
      azure_roles: [{ role_name: 'R' }],
      azure_groups: null,
      persist_app: false,
      permanently_delete: false,
      ttl: 3600,
      max_ttl: 0,
    },
  ],
  ['secret gcp', 'config', { credentials: GOOGLE, max_ttl: 3600 }, { ttl: 0, max_ttl: 3600 }],
  [
    'secret gcp',
    'roleset/r',
    {
      project: 'p',
      bindings: 'resource "//x/y" { roles = ["a", "b"] }',
      token_scopes: 's',
    },
    {
      project: 'p',
      secret_type: 'access_token',
      bindings: { '//x/y': ['a', 'b'] },
      token_scopes: ['s'],
    },
  ],
  [
    'secret consul',
    'config/access',
    { address: 'c:8500', token: 'CANARY' },
    { address: 'c:8500', scheme: 'http' },
  ],
  [
    'secret consul',
    'roles/r',
    { policies: 'a', ttl: '1h' },
    {
      consul_namespace: '',
      partition: '',
      local: false,
      lease: 3600,
      ttl: 3600,
      max_ttl: 0,
      token_type: 'client',
      consul_policies: ['a'],
    },
  ],
  [
    'secret nomad',
    'config/access',
    { address: 'n', token: 'CANARY' },
    { address: 'n', max_token_name_length: 0 },
  ],
  ['secret nomad', 'config/lease', { ttl: 60 }, { ttl: 60, max_ttl: 0 }],
  ['secret nomad', 'role/r', { policies: 'a' }, { policies: ['a'], global: false, type: 'client' }],
  ['secret rabbitmq', 'config/lease', { ttl: 60 }, { ttl: 60, max_ttl: 0 }],
  [
    'secret rabbitmq',
    'roles/r',
    { vhosts: '{"/":{"read":".*"}}' },
    {
      tags: '',
      vhosts: { '/': { read: '.*' } },
      vhost_topics: null,
    },
  ],
  [
    'secret mongodbatlas',
    'config',
    { public_key: 'p', private_key: 'CANARY' },
    { public_key: 'p' },
  ],
  [
    'secret mongodbatlas',
    'roles/r',
    { organization_id: 'o', roles: 'x' },
    {
      organization_id: 'o',
      project_id: '',
      roles: ['x'],
      project_roles: null,
      ip_addresses: null,
      cidr_blocks: null,
      ttl: 0,
      max_ttl: 0,
    },
  ],
  [
    'secret terraform',
    'config',
    { token: 'CANARY' },
    { address: 'https://app.terraform.io', base_path: '/api/v2/' },
  ],
  ['secret terraform', 'role/r', { user_id: 'u', ttl: 60 }, { name: 'r', user_id: 'u', ttl: 60 }],
]

for (const [of, path, body, shown] of READS) {
  test(`${of} reads ${path} back as documented`, async () => {
    const engine = engineOf(of)
    await engine.write(path, body)
    const data = dataOf(await engine.read(path))
    deepEqual(data, shown)
    equal(JSON.stringify(data).includes('CANARY'), false)
    if (!path.endsWith('/r')) return
    const list = dataOf(await engine.list(path.slice(0, -2)))
    deepEqual(list, { keys: ['r'] })
    await engine.delete(path)
    equal(await engine.read(path), undefined)
  })
}

/** Engine, path, what is written, the refusal. */
const REFUSALS: readonly (readonly [string, string, Body, string])[] = [
  [
    'auth aws',
    'config/identity',
    { ec2_metadata: 'x' },
    '"ec2_metadata" contains an unavailable field, please select from "account_id, auth_type, ami_id, instance_id, region"',
  ],
  ['auth aws', 'role/r', {}, 'at least be one bound parameter should be specified on the role'],
  [
    'auth aws',
    'role/r',
    { bound_ami_id: 'a' },
    'specified bound_ami_id but not specifying ec2 auth_type or inferring ec2_instance',
  ],
  [
    'auth aws',
    'role/r',
    { bound_iam_principal_arn: 'a', auth_type: 'ec2' },
    'specified bound_iam_principal_arn but not allowing iam auth_type',
  ],
  ['auth aws', 'config/certificate/c', {}, 'missing aws_public_cert'],
  ['auth azure', 'config', {}, 'tenant_id is required'],
  [
    'auth azure',
    'role/r',
    {},
    'must have at least one bound constraint when creating/updating a role',
  ],
  ['auth gcp', 'config', { credentials: 'CANARY' }, 'error parsing credentials: expected JSON'],
  ['auth gcp', 'role/r', {}, 'role type is required'],
  ['auth gcp', 'role/r', { type: 'iam' }, 'IAM role type must have at least one service account'],
  ['auth kerberos', 'config', {}, 'keytab is required'],
  ['auth oci', 'config', {}, 'Missing homeTenancyId'],
  ['auth cf', 'config', { identity_ca_certificates: 'pem' }, "'cf_api_addr' is required"],
  ['auth alicloud', 'role/r', {}, 'the arn is required to create a role'],
  [
    'secret aws',
    'roles/r',
    { credential_type: 'x' },
    'unrecognized credential_type; expected one of iam_user, assumed_role, federation_token, session_token',
  ],
  [
    'secret aws',
    'roles/r',
    { credential_type: 'iam_user', policy_document: 'CANARY' },
    'cannot parse policy document: expected JSON',
  ],
  [
    'secret aws',
    'static-roles/r',
    { username: 'u' },
    'credentials from aws are not supported by this build',
  ],
  ['secret aws', 'config/lease', { lease: '1h' }, "'lease_max' is a required parameter"],
  ['secret azure', 'config', {}, 'subscription_id is required'],
  [
    'secret azure',
    'roles/r',
    {},
    'either Azure role definitions, group definitions, or an Application Object ID must be provided',
  ],
  [
    'secret gcp',
    'roleset/r',
    { bindings: 'CANARY {', project: 'p', token_scopes: 's' },
    'unable to parse bindings: expected HCL',
  ],
  [
    'secret consul',
    'roles/r',
    {},
    'Use either a policy document, a list of policies or roles, or a set of service or node identities, depending on your Consul version',
  ],
  ['secret nomad', 'role/r', {}, 'policies cannot be empty when using client tokens'],
  ['secret rabbitmq', 'config/connection', {}, 'missing connection_uri'],
  ['secret rabbitmq', 'roles/r', {}, 'both tags and vhosts not specified'],
  ['secret mongodbatlas', 'config', { public_key: 'p' }, 'private_key is empty'],
  ['secret terraform', 'config', {}, 'missing token'],
  ['secret terraform', 'role/r', {}, 'must provide an organization name, team id, or user id'],
]

test('what cannot be is refused, and nothing is stored', async () => {
  for (const [of, path, body, message] of REFUSALS) {
    const engine = engineOf(of)
    await rejects(engine.write(path, body), { status: 400, message }, `${of} ${path}`)
    equal(engine.entries().size, 0)
  }
})

test('logins and credentials are refused in words', async () => {
  for (const engine of CONFIGURATION) {
    const of = testEngine(engine)
    if (engine.class === 'auth') {
      const path = engine.type === 'oci' ? 'login/r' : 'login'
      const message = `login with ${engine.type} is not supported by this build`
      await rejects(of.write(path, { jwt: 'x' }), { status: 400, message })
    } else {
      const path = engine.type === 'gcp' ? 'key/r' : 'creds/r'
      const message = `credentials from ${engine.type} are not supported by this build`
      await rejects(of.read(path), { status: 400, message })
    }
  }
})

test('reads show what is so where nothing was written', async () => {
  equal(await engineOf('auth azure').read('config'), undefined)
  const azure = dataOf(await engineOf('secret azure').read('config'))
  deepEqual([azure['root_password_ttl'], Object.keys(azure).length], [0, 5])
  equal(dataOf(await engineOf('auth aws').read('config/identity'))['iam_alias'], 'role_id')
  await rejects(engineOf('secret consul').read('config/access'), { status: 400 })
  await rejects(engineOf('secret rabbitmq').read('config/connection'), { status: 405 })
})

test('lists of a role of gcp are changed by parts', async () => {
  const gcp = engineOf('auth gcp')
  await gcp.write('role/r', { type: 'iam', bound_service_accounts: 'a' })
  const nothing = { message: 'must provide at least one value to add or remove' }
  await rejects(gcp.write('role/r/service-accounts', {}), nothing)
  await rejects(gcp.write('role/r/labels', { add: 'a:b' }), { status: 400 })
  await rejects(gcp.write('role/r/service-accounts', { remove: 'a' }), { status: 400 })
  await rejects(gcp.write('role/none/labels', { add: 'a:b' }), { status: 400 })
  await gcp.write('role/r/service-accounts', { add: 'b,c', remove: 'a' })
  deepEqual(dataOf(await gcp.read('role/r'))['bound_service_accounts'], ['b', 'c'])
})

test('a type that is both a method and an engine is mounted as what was asked for', async () => {
  const { ask } = await testCore()
  equal((await ask('write', 'sys/auth/aws', { type: 'aws' })).status, 204)
  equal((await ask('write', 'sys/mounts/aws', { type: 'aws' })).status, 204)
  equal((await ask('write', 'auth/aws/role/r', { bound_account_id: '1' })).status, 204)
  const role = { credential_type: 'iam_user', policy_arns: 'a' }
  equal((await ask('write', 'aws/roles/r', role)).status, 204)
  const refused = await ask('write', 'auth/aws/login', { role: 'r' }, { token: undefined })
  deepEqual(refused.body.errors, ['login with aws is not supported by this build'])
  equal((await ask('write', 'sys/mounts/aws/tune', { description: 'x' })).status, 204)
  equal((await ask('delete', 'sys/mounts/aws')).status, 204)
  equal((await ask('delete', 'sys/auth/aws')).status, 204)
  equal((await ask('write', 'sys/mounts/rabbit', { type: 'rabbitmq' })).status, 204)
  const connection = { connection_uri: 'http://r', username: 'u', password: 'p' }
  const written = await ask('write', 'rabbit/config/connection', connection)
  match(String(written.body['warnings']), /not verified/)
  for (const type of ['transit', 'pki', 'ssh', 'totp', 'kubernetes', 'ldap']) {
    const { body } = await ask('write', 'sys/mounts/x', { type })
    deepEqual(body.errors, [`plugin not found in the catalog: ${type}`])
  }
})
