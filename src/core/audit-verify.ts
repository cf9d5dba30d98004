/**
 * Whether an audit log is as it was written. Everything that needs no secret: lines in, troubles
 * out. What it cannot see is named: lines at the end of a chain that no checkpoint covers yet.
 */
import { ed25519Verifier } from '../crypto/ed25519.ts'
import { type Checkpoint, FIRST_PREV, linesHash, signedText } from './audit-chain.ts'
import { type Witnessed } from './audit-witness.ts'

export type LogLine = { readonly file: string; readonly number: number; readonly text: string }

export type Witness = {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  readonly checkpoints: readonly Witnessed[]
}

export type Trouble = {
  readonly kind:
    | 'changed'
    | 'missing'
    | 'repeated'
    | 'added'
    | 'forged'
    | 'unsigned'
    | 'missing-chain'
  readonly file: string
  /** Of the line where it shows; 0 = it is not in the files. */
  readonly line: number
  readonly text: string
}

export type Verdict = {
  readonly lines: number
  readonly chains: number
  readonly checkpoints: number
  /** At the ends of chains, after their last checkpoint: nobody has signed for them. */
  readonly unsigned: number
  /** Pieces of lines, as a crash or a full disk leaves them. */
  readonly torn: number
  readonly troubles: readonly Trouble[]
  /** What is no trouble but worth knowing. */
  readonly notes: readonly string[]
}

export type VerifyOptions = {
  /** Its chains must be there, even if no line of it is. */
  readonly device?: string
  /** The files are the log from its first line on: nothing before them was rotated away. */
  readonly whole?: boolean
}

type State = {
  seq: number
  /** The lines that were written together, so far; and the first of them. */
  lines: string
  from: LogLine
  /** The files begin in the middle of them. */
  partial: boolean
  signedSeq: number
  last: LogLine
  /** Whether a checkpoint of it has been seen. */
  signed: boolean
}

const LINK = /,"chain":"([0-9A-Za-z]{16})","seq":([1-9]\d{0,14})(?:,"prev":"([0-9a-f]{64})")?\}$/
const SIGNED =
  /\{"time":"([^"]+)","type":"checkpoint","key":"[0-9a-f]{16}","signature":"([0-9A-Za-z+/=]+)"/
const TIME = /"time":"([^"]+)"/
/** A process signs after so many lines at the latest. */
const UNSIGNED_MAX = 1_000

export async function verifyAudit(
  lines: AsyncIterable<LogLine> | Iterable<LogLine>,
  witness: Witness,
  options: VerifyOptions = {},
): Promise<Verdict> {
  const check = checker(witness, options)
  for await (const line of lines) check.line(line)
  return check.end()
}

function checker(witness: Witness, { device, whole = false }: VerifyOptions) {
  const verify = ed25519Verifier(witness.publicKey)
  const chains = new Map<string, State>()
  const witnessed = new Map(witness.checkpoints.map((each) => [each.chain, each]))
  const troubles: Trouble[] = []
  const notes: string[] = []
  /** When the files begin: chains that ended before may have been rotated away. */
  let since = ''
  const count = { lines: 0, checkpoints: 0, torn: 0 }
  const trouble = (kind: Trouble['kind'], { file, number }: LogLine, text: string) =>
    void troubles.push({ kind, file, line: number, text })

  function line(at: LogLine): void {
    if (at.text === '') return
    count.lines++
    since ||= TIME.exec(at.text)?.[1] ?? ''
    const link = LINK.exec(at.text)
    if (!link) {
      if (isWhole(at.text)) trouble('added', at, 'a line that belongs to no chain')
      else count.torn++
      return
    }
    const [, chain, digits, prev] = link as unknown as [string, string, string, string?]
    const seq = Number(digits)
    const known = chains.get(chain)
    const state = known ?? begin(chain, { at, seq, prev })
    if (known) follows(known, { at, seq, prev })
    state.seq = seq
    if (prev !== undefined) Object.assign(state, { lines: '', from: at, partial: false })
    state.lines += `${at.text}\n`
    state.last = at
    const signed = SIGNED.exec(at.text)
    if (signed && prev !== undefined)
      checkpoint(state, { chain, seq, prev, time: signed[1]!, signature: signed[2]! })
    else if (seq === 1) trouble('forged', at, `chain ${chain} does not begin with a checkpoint`)
    const kept = witnessed.get(chain)
    if (kept?.seq === seq && kept.prev !== prev) {
      trouble('changed', at, `chain ${chain} is not what the witness knows`)
    }
  }

  type Place = { at: LogLine; seq: number; prev: string | undefined }

  function begin(chain: string, { at, seq, prev }: Place): State {
    const begun = seq === 1
    const fresh = { seq, lines: '', from: at, last: at, signedSeq: seq - 1, signed: false }
    const state = { ...fresh, partial: prev === undefined }
    chains.set(chain, state)
    if (begun && prev !== FIRST_PREV) trouble('forged', at, `chain ${chain} begins with a hash`)
    if (!begun && whole) trouble('missing', at, `${lineCount(seq - 1)} missing before this one`)
    else if (!begun) notes.push(`chain ${chain} begins before these files, at line ${seq} here`)
    return state
  }

  function follows(state: State, { at, seq, prev }: Place): void {
    const before = `${state.last.file}:${state.last.number}`
    if (seq > state.seq + 1) {
      trouble('missing', at, `${lineCount(seq - state.seq - 1)} missing after ${before}`)
    } else if (seq <= state.seq) {
      trouble('repeated', at, `a line that stands in another place or twice; see ${before}`)
    } else if (prev !== undefined && prev !== linesHash(state.lines) && !state.partial) {
      const one = state.from === state.last
      const text = one ? 'the line is' : `a line from here to ${before} is`
      trouble('changed', state.from, `${text} not as it was written`)
    }
  }

  function checkpoint(state: State, made: Checkpoint): void {
    if (!verify(signedText(made), Buffer.from(made.signature, 'base64'))) {
      trouble('forged', state.last, 'a checkpoint that this server has not signed')
      return
    }
    count.checkpoints++
    state.signedSeq = made.seq
    state.signed = true
  }

  function end(): Verdict {
    let unsigned = 0
    for (const [chain, state] of chains) {
      const open = state.seq - state.signedSeq
      unsigned += open
      if (open > UNSIGNED_MAX || !state.signed) {
        trouble('unsigned', state.last, `${open} lines of chain ${chain} are covered by nobody`)
      }
    }
    absent()
    return { ...count, chains: chains.size, unsigned, troubles, notes }
  }

  /** What the witness knows of these devices, and the files do not have. */
  function absent(): void {
    const devices = new Set(
      witness.checkpoints.filter(({ chain }) => chains.has(chain)).map((each) => each.device),
    )
    if (device !== undefined) devices.add(device)
    const nowhere = { file: '', number: 0, text: '' }
    for (const { chain, seq, device: of, time } of witness.checkpoints) {
      if (!devices.has(of)) continue
      const state = chains.get(chain)
      if (state && state.seq < seq) {
        const text = `chain ${chain} ends at ${state.seq}; the witness knows of line ${seq} at ${time}`
        trouble('missing', state.last, text)
      } else if (!state && (whole || Date.parse(time) >= Date.parse(since))) {
        const text = `chain ${chain}, of which the witness knows line ${seq} at ${time}, is not there`
        trouble('missing-chain', nowhere, text)
      }
    }
  }

  return { line, end }
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text.slice(text.indexOf('{')))
    return true
  } catch {
    return false
  }
}

const lineCount = (many: number) => (many === 1 ? '1 line is' : `${many} lines are`)
