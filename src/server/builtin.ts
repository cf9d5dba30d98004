/** Every engine and audit device this build has: the one place where core and engines meet. */
import { fileAudit } from '../audit/file.ts'
import { socketAudit } from '../audit/socket.ts'
import { syslogAudit } from '../audit/syslog.ts'
import approle from '../auth/approle/engine.ts'
import cert from '../auth/cert/engine.ts'
import github from '../auth/github/engine.ts'
import { jwt, oidc } from '../auth/jwt/engine.ts'
import kubernetes from '../auth/kubernetes/engine.ts'
import ldap from '../auth/ldap/engine.ts'
import okta from '../auth/okta/engine.ts'
import radius from '../auth/radius/engine.ts'
import userpass from '../auth/userpass/engine.ts'
import { type AuditDeviceType } from '../kit/audit-device.ts'
import { type Engine } from '../kit/engine.ts'
import { cubbyhole } from '../secrets/cubbyhole/engine.ts'
import database from '../secrets/database/engine.ts'
import { kvV1 } from '../secrets/kv/v1.ts'
import { kvV2 } from '../secrets/kv/v2.ts'
import { CONFIGURATION } from './builtin-configuration.ts'

export const ENGINES: readonly Engine[] = [
  cubbyhole,
  kvV1,
  kvV2,
  database,
  approle,
  cert,
  github,
  jwt,
  oidc,
  kubernetes,
  ldap,
  okta,
  radius,
  userpass,
  ...CONFIGURATION,
]
export const AUDIT_TYPES: readonly AuditDeviceType[] = [fileAudit, socketAudit, syslogAudit]
