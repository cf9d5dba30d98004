/** The `kv` family, in the order its help lists it. */
import { get, patch, put } from './data.ts'
import { metadataDelete, metadataGet, metadataPatch, metadataPut } from './metadata.ts'
import { copy, move } from './transfer.ts'
import { find, tree } from './tree.ts'
import { destroy, enableVersioning, list, remove, rollback, undelete } from './versions.ts'

export const commands = [
  get,
  put,
  patch,
  list,
  remove,
  undelete,
  destroy,
  rollback,
  tree,
  find,
  move,
  copy,
  enableVersioning,
  metadataGet,
  metadataPut,
  metadataPatch,
  metadataDelete,
]
