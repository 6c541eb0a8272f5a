// SPDX-License-Identifier: Apache-2.0
// A certificate authority for one run: server, client, and a stranger's.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function make(dir) {
  const ssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const key = (name) => ssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout',
    '-out', `${name}.key`);
  const authority = (name) => {
    key(name);
    ssl('req', '-x509', '-new', '-key', `${name}.key`, '-days', '2', '-subj', `/CN=${name}`,
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=keyCertSign',
      '-out', `${name}.pem`);
  };
  const leaf = (name, issuer, extensions) => {
    key(name);
    writeFileSync(join(dir, `${name}.ext`), extensions);
    ssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    ssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`,
      '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  authority('ca');
  authority('stranger-ca');
  leaf('server', 'ca', 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  leaf('client', 'ca', 'extendedKeyUsage=clientAuth\n');
  leaf('stranger', 'stranger-ca', 'extendedKeyUsage=clientAuth\n');
}

let dir = process.env.SDK_CERTS;

/** Folder of the run's certificates; made now when `run` has not done it. */
export function folder() {
  if (!dir) dir = mkdtempSync(join(tmpdir(), 'webpubsubd-certs-'));
  if (!existsSync(join(dir, 'stranger.pem'))) make(dir);
  return dir;
}

export const file = (name) => join(folder(), name);
export const text = (name) => readFileSync(file(name), 'utf8');

if (process.argv[1] === import.meta.filename) make(process.argv[2]);
