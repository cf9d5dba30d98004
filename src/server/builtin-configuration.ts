/**
 * The engines that only keep their configuration: a setup that is written for them goes through, and
 * what would need the foreign system says so.
 */
import alicloudAuth from '../auth/alicloud/engine.ts'
import awsAuth from '../auth/aws/engine.ts'
import azureAuth from '../auth/azure/engine.ts'
import cfAuth from '../auth/cf/engine.ts'
import gcpAuth from '../auth/gcp/engine.ts'
import kerberosAuth from '../auth/kerberos/engine.ts'
import ociAuth from '../auth/oci/engine.ts'
import { type Engine } from '../kit/engine.ts'
import awsSecrets from '../secrets/aws/engine.ts'
import azureSecrets from '../secrets/azure/engine.ts'
import consulSecrets from '../secrets/consul/engine.ts'
import gcpSecrets from '../secrets/gcp/engine.ts'
import mongodbatlasSecrets from '../secrets/mongodbatlas/engine.ts'
import nomadSecrets from '../secrets/nomad/engine.ts'
import rabbitmqSecrets from '../secrets/rabbitmq/engine.ts'
import terraformSecrets from '../secrets/terraform/engine.ts'

export const CONFIGURATION: readonly Engine[] = [
  alicloudAuth,
  awsAuth,
  azureAuth,
  cfAuth,
  gcpAuth,
  kerberosAuth,
  ociAuth,
  awsSecrets,
  azureSecrets,
  consulSecrets,
  gcpSecrets,
  mongodbatlasSecrets,
  nomadSecrets,
  rabbitmqSecrets,
  terraformSecrets,
]
