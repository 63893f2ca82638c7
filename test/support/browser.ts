import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

/** A page that is looked at by a real Chromium, and what was wrong with it. */
export interface WatchedPage {
  page: Page;
  /** what the browser complained of: errors of scripts, what the policy kept from being loaded */
  complaints: string[];
  /** addresses of all that was loaded */
  loaded: string[];
}

/** Debian's Chromium, without a display. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #folder: string;

  private constructor(browser: Browser, folder: string) {
    this.#browser = browser;
    this.#folder = folder;
  }

  /** @param pid of a process in whose network namespace it is to be; undefined: in this one */
  static async start(pid?: number): Promise<TestBrowser> {
    const folder = await mkdtemp(join(tmpdir(), 'weavets-browser-'));
    let executablePath = '/usr/bin/chromium';
    if (pid !== undefined) {
      executablePath = join(folder, 'chromium');
      const script = `#!/bin/sh\nexec nsenter -t ${pid} -n /usr/bin/chromium "$@"\n`;
      await writeFile(executablePath, script, { mode: 0o755 });
    }
    const args = ['--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'];
    const browser = await chromium.launch({ executablePath, chromiumSandbox: false, args, timeout: 120_000 });
    return new TestBrowser(browser, folder);
  }

  async open(url: string, how: Parameters<Browser['newContext']>[0] = {}): Promise<WatchedPage> {
    const context: BrowserContext = await this.#browser.newContext({
      viewport: { width: 1280, height: 800 },
      reducedMotion: 'reduce',
      ...how,
    });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    const loaded: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('request', (request) => loaded.push(request.url()));
    await page.goto(url);
    return { page, complaints, loaded };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
