/** Digests for comparing and for naming what is secret. Of equal length, so nothing shows in time. */
import { createHash } from 'node:crypto'

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
