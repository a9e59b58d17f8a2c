import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.knn.plugin.KNNPlugin;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.transport.Netty4Plugin;

/** One OpenSearch server with the k-NN plug-in, for tests: FOLDER PORT. */
final class OpenSearch extends Node {
    OpenSearch(Settings settings, Path folder) {
        super(new Environment(settings, folder), List.of(Netty4Plugin.class, PainlessPlugin.class, KNNPlugin.class), true);
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        Files.createDirectories(folder);
        Node node = new OpenSearch(Settings.builder()
            .put("path.home", folder).put("path.data", folder.resolve("data")).put("cluster.name", "goclip").put("node.name", "one")
            .put("network.host", "127.0.0.1").put("http.port", args[1]).put("transport.port", "0").put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("transport.type", "netty4").put("http.type", "netty4").build(), folder);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        node.start();
        Thread.currentThread().join();
    }
}
