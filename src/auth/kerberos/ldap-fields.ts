/** Settings of the directory that a Kerberos login would ask for groups. */
import { t } from '../../kit/kit.ts'

const VERSIONS = ['tls10', 'tls11', 'tls12', 'tls13'] as const
const DEREFERENCES = ['never', 'finding', 'searching', 'always'] as const
const GROUP_FILTER = '(|(memberUid={{.Username}})(member={{.UserDN}})(uniqueMember={{.UserDN}}))'

export const ldapFields = {
  url: t.string({ help: 'Addresses, separated by commas.', default: 'ldap://127.0.0.1' }),
  binddn: t.string({ help: 'Who asks.' }),
  bindpass: t.string({ help: 'Its password.', sensitive: true }),
  userdn: t.string({ help: 'Where users are.' }),
  userattr: t.string({ help: 'Their name.', default: 'cn', clear: true }),
  userfilter: t.string({ help: 'How one is found.', default: '({{.UserAttr}}={{.Username}})' }),
  upndomain: t.string({ help: 'Domain of a user principal name.' }),
  discoverdn: t.bool({ help: 'Look the user up first.', clear: true }),
  groupdn: t.string({ help: 'Where groups are.' }),
  groupattr: t.string({ help: 'Their name.', default: 'cn', clear: true }),
  groupfilter: t.string({ help: 'How those of a user are found.', default: GROUP_FILTER }),
  use_token_groups: t.bool({ help: 'Groups from tokenGroups.', clear: true }),
  use_pre111_group_cn_behavior: t.bool({ help: 'How names of groups are read.', clear: true }),
  anonymous_group_search: t.bool({ help: 'Groups are looked up by nobody.', clear: true }),
  username_as_alias: t.bool({ help: 'The name as it was typed.', clear: true }),
  case_sensitive_names: t.bool({ help: 'Upper and lower case differ.', clear: true }),
  deny_null_bind: t.bool({ help: 'An empty password is none.', default: true, clear: true }),
  dereference_aliases: t.oneOf(DEREFERENCES, { help: 'When.', default: 'never', clear: true }),
  starttls: t.bool({ help: 'TLS on the plain port.', clear: true }),
  insecure_tls: t.bool({ help: 'Certificates are not checked.', clear: true }),
  certificate: t.string({ help: 'The certificate authority, as PEM.' }),
  client_tls_cert: t.string({ help: 'A certificate for the directory, as PEM.', sensitive: true }),
  client_tls_key: t.string({ help: 'Its key, as PEM.', sensitive: true }),
  tls_min_version: t.oneOf(VERSIONS, { help: 'Lowest of TLS.', default: 'tls12', clear: true }),
  tls_max_version: t.oneOf(VERSIONS, { help: 'Highest of TLS.', default: 'tls12', clear: true }),
  request_timeout: t.duration({ help: 'For an answer.', default: 90, clear: true }),
  connection_timeout: t.duration({ help: 'For a connection.', default: 30, clear: true }),
  max_page_size: t.int({ help: 'Of a search; 0 = unpaged.', clear: true }),
}
