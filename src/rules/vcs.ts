/** Where code lives: GitHub, GitLab, Bitbucket, and what packages are published with. */
import { endsInBase36Crc } from './checksum.ts'
import { crcOrRandom, tokens } from './kinds.ts'
import { type Rule } from './rule.ts'
import { looksRandom } from './value.ts'

const B36 = '[A-Za-z0-9]{36}'

export const VCS: readonly Rule[] = tokens([
  [
    'github-pat',
    'GitHub personal access token',
    'ghp_',
    B36,
    'ghp_{B30}{crc}',
    { check: crcOrRandom },
  ],
  ['github-oauth', 'GitHub OAuth token', 'gho_', B36, 'gho_{B30}{crc}', { check: crcOrRandom }],
  [
    'github-user',
    'GitHub user-to-server token',
    'ghu_',
    B36,
    'ghu_{B30}{crc}',
    { check: crcOrRandom },
  ],
  [
    'github-server',
    'GitHub server-to-server token',
    'ghs_',
    B36,
    'ghs_{B30}{crc}',
    { check: crcOrRandom },
  ],
  ['github-refresh', 'GitHub refresh token', 'ghr_', B36, 'ghr_{B30}{crc}', { check: crcOrRandom }],
  [
    'github-fine-grained-pat',
    'GitHub fine-grained personal access token',
    'github_pat_',
    '\\w{36,244}',
    'github_pat_{B22}_{B59}',
  ],
  ['gitlab-pat', 'GitLab personal access token', 'glpat-', '[\\w-]{20}', 'glpat-{b20}'],
  [
    'gitlab-routable',
    'GitLab routable token',
    'glpat-',
    '[\\w-]{27,300}\\.[0-9a-z]{2}\\.[0-9a-z]{9}',
    'glpat-{b27}.01.{l9}',
    { check: (secret) => endsInBase36Crc(secret) || looksRandom(secret) },
  ],
  ['npm-token', 'npm access token', 'npm_', B36, 'npm_{B30}{crc}', { check: crcOrRandom }],
  ['pypi-token', 'PyPI upload token', 'pypi-', 'AgE[\\w-]{50,1000}', 'pypi-AgEIcHlwaS5vcmc{b70}'],
])
