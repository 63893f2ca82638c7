/** How an engine is run on a laboratory host. */
export interface EngineProgram {
  name: string;
  /** its endpoint inside */
  socket: string;
  /** where its pid is, inside */
  pidFile: string;
  /** shell that ends in its place; flags are added */
  script: string;
  /** what a user sets whose docker is to talk to it */
  env: NodeJS.ProcessEnv;
}

export const dockerd: EngineProgram = {
  name: 'dockerd',
  socket: 'unix:///var/run/docker.sock',
  pidFile: '/run/docker.pid',
  script: 'exec dockerd',
  env: {},
};

const socket = 'unix:///run/podman/podman.sock';
const storage = '/var/lib/docker/storage';
/** Without systemd: control groups by files, events in a file. crun does not run on control groups of version 1. */
const flags = `--runtime runc --cgroup-manager cgroupfs --events-backend file --root ${storage}`;

export const podman: EngineProgram = {
  name: 'podman',
  socket,
  pidFile: '/run/podman/podman.pid',
  script: `mkdir -p /run/podman ${storage}; echo $$ >/run/podman/podman.pid; exec podman ${flags} system service --time=0 ${socket}`,
  env: { DOCKER_HOST: socket },
};
