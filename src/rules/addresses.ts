/** Passwords in addresses, in headers and in the commands that send them. */
import { readability } from './letter-pairs.ts'
import { isPublished } from './published.ts'
import type { Rule } from './rule.ts'
import { isMasked, looksRandom } from './value.ts'

export const ADDRESSES: readonly Rule[] = [
  {
    id: 'url-credentials',
    provider: 'url',
    title: 'Password in a URL',
    place: 'keyword',
    keywords: ['://'],
    pattern:
      /:\/\/(?<user>[^\s:@/"'`<>()[\]|\\]{0,80}):(?<secret>[^\s@/"'`<>()[\]|\\]{3,200})@(?<host>[\w.-]{1,120})/,
    glued: true,
    check: (password, { groups, input, index }) =>
      (password !== 'pass' ||
        /(?:http|https|ftp)$/.test(input.slice(Math.max(0, index - 5), index))) &&
      isUrlPassword(groups?.['user'] ?? '', password, groups?.['host'] ?? ''),
    generic: true,
    severity: 'high',
    samples: {
      yes: [
        'postgres://app:{B20}@db.internal:5432/app',
        'jdbc:mysql://root:{a5}#{d4}@10.0.0.7:3306/shop',
        'redis://:{B24}@cache:6379',
        'amqps://svc:{b18}@mq.corp.net/vhost',
      ],
      no: [
        'https://example.com/a@b',
        'https://user:${PASSWORD}@api.corp.net',
        'http://user:<password>@host.net',
        'mongodb://username:password@localhost:27017/db',
        'redis://default:guest@localhost',
        'https://mailto:someone@corp.net',
      ],
    },
  },
  {
    id: 'contribsys-url',
    provider: 'contribsys',
    title: 'Credentials of a gem server',
    place: 'keyword',
    keywords: ['://'],
    pattern: /:\/\/([a-f0-9]{8}:[a-f0-9]{8})@(?:gems|enterprise)\.contribsys\.com/,
    glued: true,
    severity: 'medium',
    samples: {
      yes: ['https://{h8}:{h8}@gems.contribsys.com/'],
      no: ['https://{h4}:{h4}@gems.contribsys.com/'],
    },
  },
  {
    id: 'connection-password',
    provider: 'database',
    title: 'Password in a connection string',
    place: 'keyword',
    keywords: [';password=', ';pwd=', '; password=', '; pwd='],
    pattern: /; ?(?:password|pwd)=([^\s;"'`<>]{6,128})/i,
    glued: true,
    check: (password) => isChosen(password),
    generic: true,
    severity: 'high',
    samples: {
      yes: ['Server=db1;User Id=sa;Password={B12}!;', 'Host=db;Username=app;Pwd={B18};'],
      no: ['Server=db1;User Id=sa;Password=<password>;', 'Server=db1;Uid=sa;Pwd=password;'],
    },
  },
  {
    id: 'basic-header',
    provider: 'http',
    title: 'Basic authorization',
    place: 'keyword',
    keywords: ['basic '],
    pattern: /basic {1,3}([A-Za-z0-9+/_-]{8,400}={0,2})/i,
    check: isBasic,
    generic: true,
    severity: 'high',
    samples: {
      yes: ["curl -H 'Authorization: Basic {s60}'"],
      no: [
        'Basic authentication is not enough',
        'basic Authorization',
        'Authorization: Basic dXNlcjpwYXNzd29yZA==',
      ],
    },
  },
  {
    id: 'authorization-header',
    provider: 'http',
    title: 'Token in an authorization header',
    place: 'keyword',
    keywords: ['authorization', 'bearer '],
    pattern:
      /(?:authorization["'\]]{0,2}\s{0,3}[:=,]\s{0,3}\\{0,4}["'`]?(?:(?!basic )[A-Za-z][\w-]{1,15} {1,3})?|bearer {1,3})([\w.~+/=@!:-]{10,2000})/i,
    check: (token) => isHeaderToken(token),
    generic: true,
    severity: 'high',
    samples: {
      yes: ["curl -H 'Authorization: Bearer {b40}'", '"Authorization": "Token {h40}"'],
      no: [
        'Authorization: Bearer INSERT_TOKEN_HERE',
        'Authorization: Bearer ${TOKEN}',
        'authorization: request.headers.authorization2',
      ],
    },
  },
  {
    id: 'command-password',
    provider: 'shell',
    title: 'Password in a command',
    place: 'keyword',
    keywords: ['sshpass', 'mysql', 'docker login', 'podman login'],
    pattern:
      /(?:sshpass [^\n|;]{0,40}?-p ?|mysql(?:dump|admin|import)? [^\n|;]{0,120}?-p|(?:docker|podman) login [^\n|;]{0,160}?(?:-p|--password)[ =])["']?([^\s"'$<>|;-][^\s"'<>|;]{5,80})/,
    check: (password) => isChosen(password) && /\d/.test(password),
    generic: true,
    severity: 'high',
    samples: {
      yes: [
        "sshpass -p '{B8}{d2}' ssh ops@host",
        'mysqldump -u root -p{B10}{d2} shop',
        'docker login -u ops -p {B14}{d2}',
      ],
      no: [
        'sshpass -p password ssh ops@host',
        'mysql -u root -p shop',
        'docker login -u ops --password-stdin',
      ],
    },
  },
  {
    id: 'netrc-password',
    provider: 'netrc',
    title: 'Password in a netrc file',
    place: 'keyword',
    keywords: ['machine '],
    pattern: /machine\s{1,8}\S{1,100}\s{1,8}login\s{1,8}\S{1,100}\s{1,8}password\s{1,8}(\S{4,200})/,
    check: (password) => isChosen(password),
    generic: true,
    severity: 'high',
    samples: {
      yes: ['machine api.corp.net\n  login ops\n  password {B20}\n'],
      no: ['machine api.corp.net login ops password <password>'],
    },
  },
  {
    id: 'curl-user',
    provider: 'http',
    title: 'User and password of a curl command',
    place: 'keyword',
    keywords: ['-u ', '--user ', '--user=', '--user:'],
    pattern:
      /(?:-u|--user)[ =:] {0,3}["']{0,2}[^\s:"'$]{0,80}["']?:["']?(?<secret>[^\s"']{4,100})|(?:-u|--user) ["'](?<secret>[^\s:"'$]{8,100}):["']/,
    glued: true,
    check: (secret, { input, index }) =>
      /\bcurl\b/.test(input.slice(Math.max(0, index - 400), index)) &&
      !/^[$<{%]?[A-Z_]+[}>%]?$|^[$<%]|^\{\w{0,12}\}/.test(secret) &&
      !isMasked(secret) &&
      !WEAK.test(secret),
    generic: true,
    severity: 'high',
    samples: {
      yes: [
        'curl -u admin:{B14} https://api.corp.net',
        'curl --user "svc:{B8}#{d4}" https://corp.net',
      ],
      no: [
        'curl -u user:password https://corp.net',
        'curl -u "$USER:$PASS" https://corp.net',
        'docker run -u 1000:1000',
      ],
    },
  },
]

/** What stands in manuals where a password would be. */
const WEAK =
  /^(?:my|some|your|the|db|user|test|auth|redis|root|admin|proxy|super)?[_-]?(?:password|passwd|pwd|secret|pass(?:word)?123|passphrase|pw|changeme|change_me|token|key|admin|root|test|testing|guest|user|username|login|foo|bar|baz|foobar|foobared|qux|example|demo|none|null|undefined|hunter2|letmein|\d{1,6}|x{2,}|\*+)$/
const NOWHERE =
  /^(?:no[_-]?(?:connection|host|where|db)|invalid|nohost|dummy|placeholder)|\.invalid$/

function isUrlPassword(user: string, password: string, host: string): boolean {
  if (/[{}$]/.test(user) || /^[$%{]|[{}]|\$\{|^\*/.test(password) || isMasked(password))
    return false
  if (user === 'mailto' || user === 'public' || NOWHERE.test(host)) return false
  if (isWeak(password) || (user === '' && password.includes(':'))) return false
  const [shortUser, shortPassword] = [user.toLowerCase(), password.toLowerCase()]
  if (shortUser === shortPassword && shortUser !== user.toUpperCase()) return false
  // `proxyuser:proxypass`, `someuser:somepassword`: two halves of one example.
  if (
    shortUser.endsWith('user') &&
    shortPassword.startsWith(shortUser.slice(0, -4)) &&
    shortUser.length > 4
  )
    return false
  if (/[^a-z]/.test(password)) return true
  // Letters alone: `pass` as it is written for people, or letters that follow no language.
  return password === 'pass'
    ? host.startsWith('example.')
    : password.length >= 8 && readability(password) < 0
}

/**
 * A word for a password, in whatever spelling. Not so all in capitals, where it was filled in and
 * left as the form of an address that is used.
 */
function isWeak(password: string): boolean {
  if (password === 'pass' || /^[A-Z]+$/.test(password)) return WEAK.test(password)
  return [password.toLowerCase(), spelled(password)].some(
    (text) => text === 'pass' || WEAK.test(text),
  )
}

/** `p%40ss/w0rd` read aloud. */
function spelled(password: string): string {
  if (!/[@$0]|%40/.test(password)) return ''
  const plain = password.replaceAll(/%[0-9A-F]{2}/gi, (byte) => decodeByte(byte))
  const letters = plain.replaceAll('@', 'a').replaceAll('$', 's').replaceAll('0', 'o')
  return letters
    .toLowerCase()
    .replaceAll(/[^a-z0-9]|1$/g, '')
    .replace('passwrd', 'password')
}

const decodeByte = (byte: string) => String.fromCharCode(Number.parseInt(byte.slice(1), 16))

/** Not a word that stands for a password, and more than letters. */
function isChosen(password: string): boolean {
  if (/[{}$<]|^%/.test(password) || isMasked(password)) return false
  return (
    !WEAK.test(password.toLowerCase()) && (/[^A-Za-z]/.test(password) || readability(password) < 0)
  )
}

/** `user:password`, or a token alone, once decoded. */
function isBasic(encoded: string): boolean {
  if (isMasked(encoded) || isPublished(encoded)) return false
  const text = Buffer.from(encoded, 'base64').toString('latin1')
  const split = text.indexOf(':')
  if (/^[\x20-\x7e]+$/.test(text) && split >= 0) {
    const [user, password] = [text.slice(0, split), text.slice(split + 1)]
    if (/^(?:aladdin|username|user)$/i.test(user))
      return isChosen(password) && password !== 'open sesame'
    return password === '' ? user.length > 4 : !WEAK.test(password) && !/[$<{]/.test(password)
  }
  return encoded.length >= 40 && looksRandom(encoded) && encoded.length % 4 !== 1
}

function isHeaderToken(token: string): boolean {
  if (!looksRandom(token) || !/\d/.test(token) || isPublished(token)) return false
  if (/^[a-f0-9]{32,}$/i.test(token)) return true
  if (/^[a-z]+:\/\/|^\d+$/i.test(token)) return false
  return readability(token) < (token.length < 20 ? 0 : token.length / 8)
}
