// Package golden locates the reference data that tests compare against.
package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// Fixtures returns the path of a file or folder below the directory that the
// environment variable GOCLIP_FIXTURES names. Where the variable is unset the
// test is skipped with a line that says so; where it is set, a missing file
// fails the test.
func Fixtures(t testing.TB, elem ...string) string {
	t.Helper()
	return find(t, "GOCLIP_FIXTURES", elem)
}

// Data is [Fixtures] for the images and captions below GOCLIP_DATA.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	return find(t, "GOCLIP_DATA", elem)
}

// Shared is [Fixtures] for the folder GOCLIP_SHARED, which holds all of the reference
// data: families, families_hf, compat and others beside fixtures.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	return find(t, "GOCLIP_SHARED", elem)
}

func find(t testing.TB, variable string, elem []string) string {
	t.Helper()
	root := os.Getenv(variable)
	if root == "" {
		t.Skipf("%s is not set: skipping a comparison with reference data", variable)
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s=%s: %v", variable, root, err)
	}
	return path
}
