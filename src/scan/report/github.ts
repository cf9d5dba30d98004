/** Annotations as workflow commands of GitHub Actions. */
import type { Out, Reporter } from './report.ts'

export function github(out: Out): Reporter {
  return {
    finding({ path, line, column, endLine, endColumn, title, value, rule }) {
      const at = { file: path, line, endLine, col: column, endColumn, title: `coffer: ${rule}` }
      const properties = Object.entries(at).map(
        ([name, text]) => `${name}=${property(String(text))}`,
      )
      out.write(`::error ${properties.join(',')}::${data(`${title}: ${value}`)}\n`)
    },
    end() {},
  }
}

const data = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
