"""The gRPC half of the stand-in for tensorflow_model_server, on the real stubs."""

from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

CLASSIFY_METHOD = "tensorflow/serving/classify"


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and Classify.

    Args:
        models: by name, with `find(name, version)`.
    """

    def __init__(self, models):
        self._models = models

    def Predict(self, request, context):
        """The outputs of any signature."""
        response = predict_pb2.PredictResponse()
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        for name, value in self._run(request.model_spec, inputs, context).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def Classify(self, request, context):
        """Classes and scores of tf.Examples, by a signature whose method is classify."""
        model, signature = self._find(request.model_spec, context)
        method = model.signature_def[signature].method_name
        if method != CLASSIFY_METHOD:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{signature} is {method}")
        examples = [e.SerializeToString() for e in request.input.example_list.examples]
        outputs = self._run(request.model_spec, {"inputs": examples}, context)
        response = classification_pb2.ClassificationResponse()
        for classes, scores in zip(outputs["classes"], outputs["scores"], strict=True):
            row = response.result.classifications.add()
            for label, score in zip(classes, scores, strict=True):
                row.classes.add(label=label.decode(), score=score)
        return response

    def _find(self, spec, context):
        signature = spec.signature_name or "serving_default"
        try:
            model = self._models.find(spec.name, spec.version.value)
            model.inputs(signature)
        except ValueError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except LookupError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return model, signature

    def _run(self, spec, inputs, context):
        model, signature = self._find(spec, context)
        try:
            return model.run(signature, inputs)
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


def start(models, port: int) -> tuple[grpc.Server, int]:
    """Starts a server on the loopback; gives it and its port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(models), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound
