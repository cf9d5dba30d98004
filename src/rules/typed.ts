/**
 * Whether a value that somebody typed, and no machine drew, is a secret: `hunter2`, `mysecretvalue`,
 * a run of the alphabet with figures behind it. Randomness cannot tell. So the name must be one that
 * holds nothing but secrets, the assignment a plain one, and the value none of the other things that
 * people write there: a word, a name, a label, a place.
 */
import type { Assigned } from './assignment.ts'
import { readability } from './letter-pairs.ts'
import { isPublished } from './published.ts'
import { holdsPlaceholder, STRICT } from './secret-like.ts'
import { distinct, isAlgorithm, isMashed, isMasked, isPlaceholder } from './value.ts'

/** What the name must end with. The first group: a person chooses it. */
const NAME =
  /(?:(pass(?:word|wd|phrase))|secret|token|(?:api|secret|signing|encryption|master|auth)[_-]?key)$/i
const ABOUT =
  /public|csrf|xsrf|fake|dummy|mock|example|placeholder|sample|(?:next|page|prev|cancel|sync)_?token$/i

/** Longer ones are made by machines, and the rules for those have judged them. */
const LENGTH_MAX = 40

/** Whether the value, where it stands, is a secret somebody typed. */
export function isTyped(value: string, kind: 'password' | 'token', at: Assigned): boolean {
  if (value.length < (kind === 'password' ? 6 : 8) || value.length > LENGTH_MAX) return false
  const name = at.text.slice(at.nameStart, at.nameEnd)
  const said = NAME.exec(name)
  if (said === null || (said[1] === undefined) === (kind === 'password')) return false
  if (ABOUT.test(name) || STRICT.test(name) || isKeyItself(value, said[0])) return false
  if (at.quote === '' ? !isBareLine(at) : !isPlain(at)) return false
  const compound = isCompound(value)
  if (isNothing(value) || isElsewhere(value)) return false
  if (isMadeOfNames(value) && !(compound && /\d/.test(value))) return false
  return compound || (kind === 'password' ? isChosen(value, at) : isNumbered(value))
}

/** Under the name of a key: the number of something in hex, or that name again (`encryptionKey1024`). */
function isKeyItself(value: string, name: string): boolean {
  if (/^api|^token$|^secret$|^pass/i.test(name)) return false
  const letters = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '')
  return /^[0-9a-f]{8,31}$/.test(value) || letters(value) === letters(name)
}

/** A quoted value is assigned: not compared, not handed over, not one part of several. */
function isPlain({ text, operator, nameStart, end }: Assigned): boolean {
  if (operator === ' ') return text.charCodeAt(nameStart) === DASH
  if (!/^(?:[:?|]{0,3}=>?|::?|>|<-|->|\|\||\?\?)$/.test(operator)) return false
  return !/^.\s{0,3}[+.%]\s{0,3}[\w"'`(]/.test(text.slice(end, end + 9))
}
const DASH = 45

/**
 * Without quotes only where the name begins a line of settings or of the shell, or is an element, and
 * the value goes to where that ends: in code, what has no quotes is a name.
 */
function isBareLine({ text, operator, nameStart, nameEnd, start, end }: Assigned): boolean {
  const before = text.slice(Math.max(0, nameStart - 40), nameStart)
  const after = text.slice(end, end + 40)
  if (operator === '>') return before.endsWith('<') && after.startsWith('</')
  if (operator !== '=' && operator !== ':') return false
  if (
    !/(?:^|[\r\n])(?:[ \t-]|export |set |setx |env |ENV |ARG |-e |--env ){0,6}["']?$/.test(before)
  )
    return false
  const glued = operator === '=' && start === nameEnd + 1
  return glued ? /^(?:["'\s]|$)/.test(after) : /^[ \t]*(?:[#\r\n]|$)/.test(after)
}

/** Placeholders, templates and forms; two words of them do not unmake what has a number. */
function isNothing(value: string): boolean {
  const plain = /\d{3}/.test(value) ? value.replace(/fake|qwerty/i, '') : value
  if (isMasked(value) || isPlaceholder(plain) || holdsPlaceholder(value)) return true
  // What a provider has published is for the rule of that provider to judge.
  if (isPublished(value)) return true
  return distinct(value) < 4 || /[{}<>()[\]…]|%[sdv]|\\|&[a-z]+;/.test(value)
}

const NAMES =
  'pass(?:word|wd|phrase|wort|code)?|secrets?|tokens?|apikey|api|keys?|user(?:name)?|auth|access|client|id|new|old|current|confirm|repeat|db|database|admin|root|app|refresh|bearer|test|string|text|type|name|login|some|the|an?|for|my'
const MADE_OF_NAMES = new RegExp(`^[\\W_]*(?:(?:${NAMES})[\\W_]*){1,6}\\d?$`, 'i')

/** The name again, or put together from such: `client_secret`, `accessToken`, `new-password`. */
const isMadeOfNames = (value: string) => MADE_OF_NAMES.test(value)

/** Places, names of many parts, constants, numbers with a meaning, things that are called so. */
function isElsewhere(value: string): boolean {
  return (
    /^(?:[\w+.-]{2,12}:|[./~#@\\?$]|--|0x)|:\/\/|[?:,;]$|^[\w.@:-]*(?:\/[\w.@:-]+)+\/?$/.test(
      value,
    ) ||
    /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$|^[\w.+-]+@[\w-]+\.\w+/.test(value) ||
    /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|[-_](?:id|ref|name|login|user|file|path|url|config|cert)$/.test(
      value,
    ) ||
    /^\d{4}-\d\d-\d\d|^v?\d+\.\d+|^[\d.,:_-]+[a-z%]{1,3}$/.test(value) ||
    isAlgorithm(value)
  )
}

/** `mysecretvalue`, `topsecret99`, `SuperSecretPassword`: who writes so means a secret. */
const isCompound = (value: string) =>
  /^(?:my|our|super|top|very|ultra){1,2}[_-]?(?:secure|secret|strong|safe|private|pass|token)/i.test(
    value,
  )

/** Words joined by dashes with a short number: `canary-1`, `secret-2-levels`. */
const isName = (value: string) =>
  /^(?:[A-Za-z]+|\d+)(?:[-_](?:[A-Za-z]+|\d+))+$/.test(value) && figuresIn(value) < 3

const figuresIn = (value: string) => value.match(/\d/g)?.length ?? 0

/** A password: letters and figures, letters and signs, words that say nothing, no word at all. */
function isChosen(value: string, { quote }: Assigned): boolean {
  if (/^\d+$/.test(value)) return true
  if (!/[A-Za-z]/.test(value)) return false
  if (/\d/.test(value)) return !isName(value)
  if (/[A-Za-z].*[!@#$%^&*+=~].*[A-Za-z]/.test(value)) return true
  if (/^[a-z]{3,}(?:-[a-z]{3,}){1,5}$/.test(value)) return quote !== '' && !isTold(value)
  return /^[a-z]{8,}$/.test(value) && readability(value) < -value.length
}

/** Words with dashes that tell what the value is for, or are a piece of a sentence. */
const isTold = (value: string) => value.length < 10 || TELLING.test(value)
const TELLING =
  /(?:^|-)(?:pass(?:word|wd|phrase)?|secret|token|key|user|admin|root|login|value|name|field|input|form|text|string|canary|wrong|right|valid|invalid|other|default|required|optional|none|any|one|two|first|second|last|old|new|not|the|and|for|this|that|with|from|set|off|must|has|was|are|brought|stored)s?(?:-|$)/

/** A token: letters with three figures, or figures in several places. */
function isNumbered(value: string): boolean {
  if (!/[A-Za-z]/.test(value) || isName(value) || isMashed(value)) return false
  return figuresIn(value) >= 3 || /\d.*[A-Za-z].*\d/.test(value)
}
