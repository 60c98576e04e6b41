package storage

// SignInColumns is Columns for the tables of local sign-in.
func SignInColumns() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, t := range []table{passwords, sessions, failures, secondFactors, recoveryCodes, identities, tableOf(&noteRow{}), tableOf(&setupRow{})} {
		out[t.name] = map[string]bool{}
		for i, c := range t.columns {
			out[t.name][c] = nullable(t.fields[i])
		}
	}
	return out
}
