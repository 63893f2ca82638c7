import { errorsPage } from './errors-page.ts';
import { launchPage } from './launch-page.ts';

/** Pages that are made from the code, by name: `npm run docs` writes them, a test compares. */
export async function pages(): Promise<Record<string, string>> {
  return { 'docs/errors.md': errorsPage(), 'docs/launch.md': launchPage() };
}
