// Goclip trains, measures and uses CLIP models: models that embed images and text in one
// space.
//
//	goclip train    --data photos.csv --out model            train a model on images with captions
//	goclip eval     --model model --data test.csv --report r  measure it
//	goclip classify --model model --labels cat,dog *.jpg      zero-shot classification
//	goclip index    --model model --data photos --out photos.index
//	goclip embed    --model model --out emb photos            embeddings for other programs
//	goclip search   --model model --index photos.index "a dog on a beach"
//	goclip forget   --index photos.index --path "old/**"      take images out of an index
//	goclip merge    --out all.index a.index b.index           make one index of several
//	goclip info     model                                     describe a model, an index or a set
//	goclip convert  model --layout huggingface --out other    write it for another program
//	goclip pull     openai/clip-vit-base-patch32              download a model by its name
//	goclip list                                               what was downloaded
//	goclip serve    --model model --listen :3003              encode for other programs, over HTTP
//
// See goclip --help, and goclip train --help for each command.
package main

import "github.com/goclip/goclip/cmd/command"

func main() { command.Main(command.Options{}) }
