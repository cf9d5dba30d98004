/** Services that are called over the network: payment, messages, mail, models. */
import { tokens } from './kinds.ts'
import { type Rule } from './rule.ts'

export const SERVICES: readonly Rule[] = tokens([
  ['stripe-secret-key', 'Stripe secret key', 'sk_live_', '[A-Za-z0-9]{10,99}', 'sk_live_{B24}'],
  [
    'stripe-test-key',
    'Stripe test key',
    'sk_test_',
    '[A-Za-z0-9]{10,99}',
    'sk_test_{B24}',
    { severity: 'low' },
  ],
  ['slack-bot-token', 'Slack bot token', 'xoxb-', '[\\w-]{20,200}', 'xoxb-{d12}-{d12}-{B24}'],
  ['slack-user-token', 'Slack user token', 'xoxp-', '[\\w-]{20,200}', 'xoxp-{d11}-{d12}-{h32}'],
  [
    'slack-app-token',
    'Slack legacy app token',
    'xoxa-',
    '[\\w-]{10,200}',
    'xoxa-{d11}-{d12}-{h32}',
  ],
  ['sendgrid-api-key', 'SendGrid API key', 'SG.', '[\\w-]{22}\\.[\\w-]{43}', 'SG.{b22}.{b43}'],
  ['openai-project-key', 'OpenAI project key', 'sk-proj-', '[\\w-]{40,200}', 'sk-proj-{b120}'],
  ['anthropic-api-key', 'Anthropic API key', 'sk-ant-', '[\\w-]{80,120}', 'sk-ant-api03-{b93}AA'],
  ['huggingface-token', 'Hugging Face token', 'hf_', '[A-Za-z0-9]{34}', 'hf_{B34}', { no: [] }],
])
