/** Logins that are spelled around what watches over them. Named by the cases they answer. */
import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type TestCore, testCore } from '../support/test-core.ts'

const NAME = 'administrator'
const RIGHT = 'correct-horse'
const LOCKED = 403

/** 153 ways to write it that are the same name, and 47 that are none or another. */
function variants(): { same: string[]; others: string[] } {
  const same = Array.from({ length: 151 }, (_, bits) =>
    NAME.replace(/./g, (letter, i: number) =>
      (bits >> (i % 8)) & 1 ? letter.toUpperCase() : letter,
    ),
  )
  const marks = [' ', '\t', '\0', '\n', '.', '\u00a0', '\u200b', '\u0301', '\u202e', '\u2060']
  const around = marks.flatMap((mark) => [
    `${mark}${NAME}`,
    `${NAME}${mark}`,
    `${mark}${NAME}${mark}`,
    // With a dot inside it is another name.
    `${NAME.slice(0, 5)}${mark === '.' ? '..%20' : mark}${NAME.slice(5)}`,
  ])
  const wide = (text: string) =>
    text.replace(/[a-z]/g, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0))
  const looks = [
    '\u0430dministrator',
    'adm\u0131nistrator',
    'adm\u0130nistrator',
    '\u24d0dministrator',
  ]
  const forms = [wide(NAME), wide(NAME).toUpperCase(), '\u{1d41a}dministrator', ...looks]
  // What is encoded for nothing is the name.
  same.push('%61dministrator', 'a%64ministrator')
  return { same: [...new Set(same)], others: [...around, ...forms] }
}

const logIn = async ({ ask }: TestCore, name: string, password: string): Promise<number> =>
  (await ask('write', `auth/userpass/login/${name}`, { password }, { token: undefined })).status

test('S12 five failures spread over 200 spellings lock them all, and count as one', async () => {
  const core = await testCore()
  await core.ask('write', 'sys/auth/userpass', { type: 'userpass' })
  await core.ask('write', `auth/userpass/users/${NAME}`, { password: RIGHT })
  const { same, others } = variants()
  const all = [...same.slice(0, 4), ...others, ...same.slice(4)]
  equal(new Set(all).size, 200)
  let looked = 0
  for (const name of all) {
    const status = await logIn(core, name, 'wrong')
    // 400 is also what a path gets that is none.
    if (same.includes(name) && status === 400) looked++
    notIn(status)
  }
  equal(looked, 5)
  const { body } = await core.ask('read', 'sys/auth/userpass')
  const tx = await core.core.begin(false)
  const counters = await tx!.list(`lockout/${String(body.data!['uuid'])}/`)
  equal(counters.length, 1, 'one counter for all of them')
  // After a restart, and on another server at once.
  for (const on of [core, await core.sibling()]) {
    for (const name of all) {
      const status = await logIn(on, name, RIGHT)
      if (same.includes(name)) equal(status, LOCKED, name)
      else notIn(status)
    }
  }
  const locked = await core.ask('read', 'sys/locked-users')
  equal(locked.body.data!['total'], 1)
})

function notIn(status: number): void {
  ok([400, 403, 404].includes(status), String(status))
}
