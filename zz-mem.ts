import { Host } from './test/support/host.ts';
import { eachOf } from './src/lib/lock.ts';
import { writeFileSync, readFileSync } from 'node:fs';
const [N='0', ...vs] = process.argv.slice(2);
for (const v of vs) {
await using host = await Host.create({ suite: 'sid' as any });
writeFileSync('/tmp/t/mem.log','');
const pid=(await host.runOk([`${v}/bin/weavets`,'launch'],{env:{NODE_OPTIONS:'--import /tmp/t/mem.mjs'}})).trim();
const show = async (l: string) => { const st=await host.runOk(['cat',`/proc/${pid}/status`]); console.log(v, l, [...st.matchAll(/(VmRSS|RssAnon|RssFile|VmHWM):\s+(\d+)/g)].map(m=>m[1]+' '+(Number(m[2])/1000).toFixed(1)).join(', ')); };
await new Promise(r=>setTimeout(r,3000));
await show('launched');
await eachOf(Array.from({length:Number(N)},(_, i)=>`c${i}`), 8, async (n)=>{ await host.runOk(['docker','-H',host.proxySocket,'run','-d','--name',n,'busybox','sleep','100000']); });
if (N!=='0') await show('after '+N);
await host.runOk(['kill','-USR2',pid]); await new Promise(r=>setTimeout(r,1500));
console.log(await host.runOk(['tail','-4','/tmp/t/mem.log']));
}
