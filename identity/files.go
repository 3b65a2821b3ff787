package identity

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strings"

	"sallyport/internal/secret"
)

// maxFile is the largest secret or certificate file that is read, in bytes.
const maxFile = 1 << 20

// Secret returns the secret itself or, when file is not empty, the content of
// that file without a trailing line feed. An empty file is an error.
func Secret(inline secret.String, file string) (secret.String, error) {
	if file == "" {
		return inline, nil
	}
	data, err := readFile(file)
	if err != nil {
		return secret.String{}, err
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if s == "" {
		return secret.String{}, fmt.Errorf("secret file %s is empty", file)
	}
	return secret.New(s), nil
}

// Roots returns the certificates of a PEM file, nil (the system's) for "". A
// file without certificates is an error: it must never mean "trust the system".
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("no certificate (PEM) in %s", file)
	}
	return pool, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return data, nil
}
