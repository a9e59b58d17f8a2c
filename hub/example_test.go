package hub_test

import (
	"context"
	"fmt"
	"log"

	"github.com/goclip/goclip/hub"
)

func Example() {
	defer exampleHub("openai/clip-vit-base-patch32")()
	ctx := context.Background()

	model, err := hub.Load(ctx, "openai/clip-vit-base-patch32", nil) // from the cache, or else from the hub
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	captions, err := model.EncodeTexts(ctx, "a photo of a cat", "a photo of a dog")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(captions.N, "embeddings")
	// Output: 2 embeddings
}

func ExampleClient_Download() {
	defer exampleHub("timm/ViT-B-16-SigLIP2")()
	client := hub.Client{Progress: func(p hub.Progress) {
		if p.Done == p.Total {
			fmt.Println("all is here")
		}
	}}
	found, err := client.Download(context.Background(), "ViT-B-16-SigLIP2__webli") // as Immich writes it
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %s, licence %s\n", found.Repo, found.Revision, found.License)
	// Output:
	// all is here
	// timm/ViT-B-16-SigLIP2, main, licence apache-2.0
}
