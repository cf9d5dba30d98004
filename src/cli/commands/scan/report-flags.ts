/** The flags of -report, apart from what it does: a scan without it loads none of that. */
import { flag } from '../../command.ts'

export const reportFlags = {
  report: flag.bool('Report what -index knows to the server, as `coffer leaked report` does.'),
  'report-source': flag.string('Of -report: what was scanned, such as the name of a repository.', {
    default: '',
  }),
}
