// Package ledgers holds published ledgers as their offices wrote them. README.md names the sources.
package ledgers

import _ "embed"

// Dazhu is the table of a county's practical projects of 2016, with deadlines as people write them. DazhuFile is
// the name under which it is imported.
//
//go:embed dazhu_2016_minsheng.csv
var Dazhu []byte

// DazhuFile is the name of the table.
const DazhuFile = "dazhu_2016_minsheng.csv"
