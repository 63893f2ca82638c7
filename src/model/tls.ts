/** TLS as dockerd has it. */
export interface TlsFiles {
  /** --tlsverify: clients must show a certificate that `ca` signed */
  verify: boolean;
  ca?: string;
  cert?: string;
  key?: string;
}
