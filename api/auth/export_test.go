package auth

// What tests in the package's outside look into.
var (
	WithSlot   = withSlot
	Digest     = digest
	Place      = place
	Parameters = parameters
	Limits     = limits
	CodeLimits = codeLimits
	CommonText = commonText
)

const MaxHashes = maxHashes

// OnCheck calls f with every hash that is about to be computed to compare a password with. If f answers, its answer
// stands in for the hash.
func (d *Door) OnCheck(f func(password, phc string) (match, answered bool)) {
	d.check = func(password, phc string) (bool, bool, error) {
		if match, ok := f(password, phc); ok {
			return match, true, nil
		}
		return verify(password, phc)
	}
}
