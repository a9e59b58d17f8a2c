package main

import (
	"image"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/goclip/goclip/vision"
)

// pixels is JPEG files to pixels for a tower of 224×224, an image a core.
func pixels(c *cases, dir string) {
	folders, err := os.ReadDir(dir)
	check(err)
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(dir, folder.Name(), "*.jpg"))
		check(err)
		p := vision.CLIPPreprocess(224)
		all := func() ([]float32, error) {
			each := 3 * 224 * 224
			out := make([]float32, len(files)*each)
			errs := make([]error, len(files))
			limit := make(chan bool, runtime.GOMAXPROCS(0))
			var wait sync.WaitGroup
			for i, file := range files {
				limit <- true
				wait.Add(1)
				go func() {
					defer wait.Done()
					defer func() { <-limit }()
					var img image.Image
					if img, errs[i] = vision.DecodeFile(file, nil); errs[i] == nil {
						errs[i] = p.Image(out[i*each:][:each], img)
					}
				}()
			}
			wait.Wait()
			for _, err := range errs {
				if err != nil {
					return nil, err
				}
			}
			return out, nil
		}
		c.add(folder.Name(), func() (work, error) { return work{func() error { _, err := all(); return err }, all}, nil })
	}
}
