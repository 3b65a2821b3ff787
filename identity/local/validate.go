package local

import (
	"fmt"

	"sallyport"
	"sallyport/identity"
)

// Validate returns every fault, with paths relative to the entry.
func (c Config) Validate() sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	for i, d := range c.Domains {
		if _, err := identity.NewDomains([]string{d}); err != nil {
			faults.Add(fmt.Sprintf("domains[%d]", i), "write a domain as it is typed, like CORP or example.com", "%v", err)
		}
	}
	if n := c.Password.MinLength; n != 0 && (n < defaultMinLength || n > maxMinLength) {
		faults.Add("password.min_length", fmt.Sprintf("write %d to %d", defaultMinLength, maxMinLength), "%d is out of range", n)
	}
	return append(faults, c.Hash.validate("hash")...)
}

func (c HashCost) validate(path string) sallyport.FieldErrors {
	var faults sallyport.FieldErrors
	bound := func(key string, n, low, high int) {
		if n != 0 && (n < low || n > high) {
			faults.Add(path+"."+key, fmt.Sprintf("write %d to %d", low, high), "%d is out of range", n)
		}
	}
	bound("time", c.Time, 1, maxTime)
	bound("memory_mib", c.MemoryMiB, minMemory, maxMemory)
	bound("parallel", c.Parallel, 1, maxParallel)
	return faults
}
