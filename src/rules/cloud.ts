/** Cloud platforms and what runs on them. */
import { tokens } from './kinds.ts'
import { type Rule } from './rule.ts'

export const CLOUD: readonly Rule[] = tokens([
  ['aws-access-key-id', 'AWS access key id', 'AKIA', '[A-Z2-7]{16}', 'AKIA{t16}'],
  ['aws-session-key-id', 'AWS temporary access key id', 'ASIA', '[A-Z2-7]{16}', 'ASIA{t16}'],
  ['gcp-api-key', 'Google API key', 'AIza', '[\\w-]{35}', 'AIza{b35}'],
  ['gcp-oauth-token', 'Google OAuth access token', 'ya29.', '[\\w-]{20,1000}', 'ya29.{b60}'],
  [
    'digitalocean-pat',
    'DigitalOcean personal access token',
    'dop_v1_',
    '[a-f0-9]{64}',
    'dop_v1_{h64}',
  ],
  ['vault-service-token', 'Vault service token', 'hvs.', '[\\w-]{24,200}', 'hvs.{b90}'],
  ['vault-batch-token', 'Vault batch token', 'hvb.', '[\\w-]{100,500}', 'hvb.{b138}'],
  ['vault-recovery-token', 'Vault recovery token', 'hvr.', '[\\w-]{24,200}', 'hvr.{b90}'],
])
