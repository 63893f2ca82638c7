import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';

// The one place where the command line reaches into the daemon's folders: `launch --foreground` runs it in this very
// process, `reset` cleans up when no daemon is left to ask, `setup` and `doctor` check what the daemon will. They are
// loaded where they are called for, so that no other command waits for them.

/** The file that runs the daemon as a process of its own. */
export const daemonFile = join(packageRoot, 'dist/daemon/main.js');

export const importDaemon = () => import('../../daemon/main.ts');
export const importReset = () => import('../../daemon/reset.ts');
export const importRestore = () => import('../../daemon/restore.ts');
export const importDoctor = () => import('../../doctor/doctor.ts');
