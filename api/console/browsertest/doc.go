// Package browsertest tries the console in a real browser, as the people do who work with it: everything goes
// through pages that are looked at and clicked, in front of the whole server, on a database of its own, with a clock
// that the test moves.
//
// It needs Debian's Chromium. Where there is none, the tests say so in one line and are skipped;
// BIHUAN_TEST_BROWSER=required, as in CI, makes that a failure. The browser is started with a fresh profile and ended
// by the tests, and it is told of no other address than this machine's.
//
// What must always hold, on every page that anybody opens here: nothing is asked of another address, the policy of
// the page is not violated, no script fails, and no dialog opens. A person (person_test.go) reports each at the end
// of its test.
//
// `make shots` takes pictures of every page into /shots, and those for docs/shots into /shots/readme.
package browsertest
