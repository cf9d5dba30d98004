/**
 * The pages a browser sees that comes back from a provider. Fixed texts, nothing from the provider,
 * and no script, whatever should get into them.
 */
import { reply } from '../../kit/kit.ts'
import { type Reply } from '../../kit/reply.ts'

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  // The address of the page has a code in it.
  'Referrer-Policy': 'no-referrer',
}

function page(title: string, content: string, status: number): Reply {
  const body =
    `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>\n` +
    `<body><h1>${title}</h1>\n${content}</body></html>\n`
  return reply({ status, raw: { contentType: 'text/html; charset=utf-8', body }, headers: HEADERS })
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => ESCAPES[sign]!)

type Asking = { mountPath: string; role: string; state: string; confirmation: string }

/** Asks whether the person before the browser began this login. Nothing is issued until they say so. */
export function confirmPage({ mountPath, role, state, confirmation }: Asking): Reply {
  const hidden = (name: string, value: string) =>
    `<input type="hidden" name="${name}" value="${escaped(value)}">`
  return page(
    'Confirm this login',
    `<p>You are about to log in at <b>${escaped(mountPath)}</b> with the role ` +
      `<b>${escaped(role)}</b>.</p>\n` +
      '<p>Go on only if you began this login yourself, just now. If somebody sent you a link to ' +
      'it, close this page: they would be given your access.</p>\n' +
      `<form method="post" action="callback">${hidden('state', state)}` +
      `${hidden('confirm', confirmation)}<button type="submit">Log in</button></form>\n`,
    200,
  )
}

export const returnPage = (): Reply =>
  page('Logged in', '<p>You can close this page and go back to your program.</p>\n', 200)

export const failedPage = (status: number): Reply =>
  page(
    'Login failed',
    '<p>The login did not succeed, or took too long. Close this page and begin again.</p>\n',
    status,
  )
