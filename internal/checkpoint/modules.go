package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// clipModule returns where in a folder of sentence-transformers its CLIPModel lies: up to
// version 5 in a folder of its own, as 0_CLIPModel, then in the folder itself. A folder
// without a CLIPModel is returned as it is.
func clipModule(dir string) (string, error) {
	text, err := readConfig(filepath.Join(dir, modulesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return dir, nil
	}
	if err != nil {
		return "", err
	}
	var steps []struct{ Path, Type string }
	if err := json.Unmarshal(text, &steps); err != nil {
		return "", fmt.Errorf("%s: %w", modulesFile, err)
	}
	if len(steps) == 0 || !strings.HasSuffix(steps[0].Type, ".CLIPModel") {
		return dir, nil
	}
	for _, step := range steps[1:] {
		if !strings.HasSuffix(step.Type, ".Normalize") { // which embeddings are anyway
			return "", fmt.Errorf("%s: %s behind the CLIPModel is not supported", modulesFile, step.Type)
		}
	}
	inner := filepath.FromSlash(steps[0].Path)
	if inner != "" && (!filepath.IsLocal(inner) || filepath.Base(inner) != inner) {
		return "", fmt.Errorf("%s: path is %q, want the name of a folder in it", modulesFile, steps[0].Path)
	}
	return filepath.Join(dir, inner), nil
}
