import assert from 'node:assert/strict';
import test from 'node:test';
import { compile } from '../../../src/report/template/template.ts';
import { report } from '../cli/support.ts';

const data = {
  Name: 'n',
  Empty: '',
  Zero: 0,
  Yes: true,
  Nil: null,
  List: ['a', 'b', 'c'],
  None: [],
  Map: { z: 1, a: 2 },
  Peers: [
    { Name: 'p1', Up: true },
    { Name: 'p2', Up: false },
  ],
};

const render = (template: string) => compile(template)(data);

test('template output', () => {
  const cases: [template: string, output: string][] = [
    ['', ''],
    ['plain }} text', 'plain }} text'],
    ['{{.Name}}', 'n'],
    ['a {{ .Name }} b', 'a n b'],
    ['{{.Peers}}', '[map[Name:p1 Up:true] map[Name:p2 Up:false]]'],
    ['{{.List}} {{.Nil}} {{.Zero}} {{.Yes}}', '[a b c] <nil> 0 true'],
    ['{{.Map.z}}{{$.Map.a}}', '12'],
    ['{{"lit\\n\\"x\\""}}{{`raw\\n`}}{{42}}{{-3}}{{1.5}}{{true}}', 'lit\n"x"raw\\n42-31.5true'],
    ['{{"}}"}}', '}}'],
    ['{{json .Map}}{{json .List}}{{json .}}', `{"z":1,"a":2}["a","b","c"]${JSON.stringify(data)}`],
    ['{{.Map | json}}', '{"z":1,"a":2}'],
    ['{{len .List}}{{len .Name}}{{len .Map}}{{.List | len}}{{len .Nil}}', '31230'],
    ['{{index .List 1}}{{index .Map "a"}}{{(index .Peers 1).Name}}', 'b2p2'],
    ['{{if .Name}}y{{end}}{{if .Empty}}n{{else}}e{{end}}', 'ye'],
    ['{{if .Zero}}1{{else if .None}}2{{else if .Yes}}3{{else}}4{{end}}', '3'],
    ['{{if not .Empty}}x{{end}}{{if and .Yes .Name}}y{{end}}{{if or .Nil .Name}}z{{end}}', 'xyz'],
    ['{{if eq .Name "n"}}1{{end}}{{if ne .Name "n"}}2{{end}}{{if eq .Name "x" "n"}}3{{end}}', '13'],
    ['{{if gt (len .List) 2}}many{{end}}{{if lt 1 2}}<{{end}}{{le 2 2}}{{ge "a" "b"}}', 'many<truefalse'],
    ['{{range .List}}<{{.}}>{{end}}', '<a><b><c>'],
    ['{{range .None}}x{{else}}none{{end}}{{range .Nil}}x{{end}}', 'none'],
    ['{{range $i, $e := .List}}{{$i}}={{$e}} {{end}}', '0=a 1=b 2=c '],
    ['{{range $k, $v := .Map}}{{$k}}{{$v}};{{end}}', 'a2;z1;'],
    ['{{range .Peers}}{{.Name}}{{if .Up}}+{{else}}-{{end}} of {{$.Name}}, {{end}}', 'p1+ of n, p2- of n, '],
    ['{{range $p := .Peers}}{{$p.Name}}{{end}}', 'p1p2'],
    ['{{with .Map}}{{.z}}{{end}}{{with .Nil}}x{{else}}-{{end}}{{with $m := .Map}}{{$m.a}}{{end}}', '1-2'],
    ['{{$x := .Name}}{{$x}}{{$x | printf "%s!"}}', 'nn!'],
    ['{{printf "%s|%5s|%-5s|%q|%v" "a" "b" "c" "d" .List}}', 'a|    b|c    |"d"|[a b c]'],
    ['{{printf "%d %05d %x %X %.2f %t %%" 7 42 255 255 1.5 true}}', '7 00042 ff FF 1.50 true %'],
    ['{{join .List ", "}} {{upper "a"}}{{lower "B"}} {{split "a,b" ","}}', 'a, b, c Ab [a b]'],
    ['{{print "a" 1}}{{println "b" "c"}}', 'a1b c\n'],
    ['a  {{- .Name -}}  b', 'anb'],
    ['a {{/* comment */}}b{{- /* another }} */ -}} c', 'a bc'],
  ];
  for (const [template, output] of cases) assert.equal(render(template), output, template);
});

test('the report, as scripts query it', () => {
  const cases: [template: string, output: string][] = [
    ['{{.DNS.Domain}}', 'weave.local.'],
    ['{{range .Router.Peers}}{{.NickName}}{{end}}', 'host1'],
    [
      '{{range .DNS.Entries}}{{.Hostname}} {{.Address}}{{"\\n"}}{{end}}',
      'bbox1.weave.local. 10.32.0.1\ndb.example. 10.32.0.2\n',
    ],
    ['{{if .Ready}}ready{{end}} {{.IPAM.ActiveIPs}}/{{.IPAM.RangeNumIPs}}', 'ready 2/1048576'],
    ['{{len .Router.Peers}} {{len .Router.Connections}}', '1 0'],
  ];
  for (const [template, output] of cases) assert.equal(compile(template)(report), output, template);
});

test('errors name the mistake', () => {
  const cases: [template: string, message: RegExp][] = [
    ['{{.Name', /\{\{ without \}\}/],
    ['{{if .Name}}x', /\{\{if …\}\} without \{\{end\}\}/],
    ['{{if .Name}}x{{else}}y', /\{\{else\}\} without \{\{end\}\}/],
    ['{{if .Name}}x{{else}}y{{else}}z{{end}}', /\{\{else\}\} without \{\{end\}\}/],
    ['{{if .Name}}x{{else range .List}}{{end}}', /unexpected 'range' after else/],
    ['{{range .List}}x{{else if .Name}}y{{end}}{{end}}', /\{\{end\}\} without its beginning/],
    ['x{{end}}', /\{\{end\}\} without its beginning/],
    ['{{if}}x{{end}}', /an empty command/],
    ['{{.Name | }}', /an empty command/],
    ['{{(len .List}}', /'\(' without '\)'/],
    ['{{len .List)}}', /unexpected '\)'/],
    ['{{.Name &}}', /cannot parse it at '&/],
    ['{{.Nmae}}', /no field 'Nmae'; there are Name, Empty/],
    ['{{.Nil.X}}', /no field 'X' in <nil>/],
    ['{{.List.X}}', /no field 'X' in \[a b c\]/],
    ['{{.Name.constructor}}', /no field 'constructor'/],
    ['{{.constructor}}', /no field 'constructor'/],
    ['{{frob .Name}}', /no function 'frob'/],
    ['{{.Name .Name}}', /only a function takes arguments/],
    ['{{$x}}', /no variable '\$x'/],
    ['{{range $i := .List}}{{end}}{{$i}}', /no variable '\$i'/],
    ['{{index .List 9}}', /index 9 is out of range/],
    ['{{range .Name}}{{end}}', /range can't iterate over n/],
    ['{{len 5}}', /len of 5/],
    ['{{lt 1 "a"}}', /can't be compared/],
    ['{{printf "%d"}}', /no value for %d/],
    ['{{printf "%z" 1}}', /does not know %z/],
  ];
  for (const [template, message] of cases) {
    assert.throws(() => render(template), { code: 'USAGE', message }, template);
  }
});

test('a template that would take all memory, or days, is an ordinary error', () => {
  const all = { List: Array.from({ length: 1_000 }, (_, index) => index), Text: 'x'.repeat(1_000) };
  const ranges = (depth: number) => '{{range $.List}}'.repeat(depth) + '{{end}}'.repeat(depth);
  const cases: [template: string, message: RegExp][] = [
    ['{{printf "%0400000000d" 1}}', /printf fills 1000 columns at most/],
    ['{{printf "%-400000000s" "a"}}', /printf fills 1000 columns at most/],
    ['{{printf "%.400000000f" 1}}', /printf fills 1000 columns at most/],
    [ranges(5), /takes more than 5000000 steps/],
    [`{{$x := .Text}}${'{{$x := printf "%s%s" $x $x}}'.repeat(40)}`, /makes more than/],
    [`{{$x := .Text}}${'{{$x := json $x}}{{$x := print $x $x}}'.repeat(40)}`, /makes more than/],
    ['{{range .List}}{{range $.List}}{{$.Text}}{{end}}{{end}}', /makes more than/],
    [`{{${'('.repeat(20_000)}1${')'.repeat(20_000)}}}`, /more than 100 nested blocks or parentheses/],
    [`{{if .List}}${'{{else if .List}}'.repeat(3_000)}{{end}}`, /more than 100 nested blocks or parentheses/],
    ['{{if .List}}'.repeat(2_000) + '{{end}}'.repeat(2_000), /more than 100 nested blocks or parentheses/],
    [' '.repeat(65_537), /longer than 65536 characters/],
  ];
  for (const [template, message] of cases) {
    assert.throws(() => compile(template)(all), { code: 'USAGE', message }, template.slice(0, 80));
  }
});

test('any number of blanks is skipped in one go', () => {
  const blanks = ' '.repeat(20_000);
  assert.equal(compile(`${blanks}{{- .Name -}}${blanks}x${blanks}`)(data), `nx${blanks}`);
});
