import { doctorPage, doctorSchema } from './doctor-page.ts';
import { errorsPage } from './errors-page.ts';
import { jsonPage } from './json-page.ts';
import { launchPage } from './launch-page.ts';

/** Pages that are made from the code, by name: `npm run docs` writes them, a test compares. */
export async function pages(): Promise<Record<string, string>> {
  return {
    'docs/doctor.md': doctorPage(),
    'docs/doctor.schema.json': doctorSchema(),
    'docs/errors.md': errorsPage(),
    'docs/json.md': jsonPage(),
    'docs/launch.md': launchPage(),
  };
}
