"""Parameters that a view of the programming interface takes, and no others."""

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.views import APIView


class KnownParameters(APIView):
    """Refuses, by name, a parameter that it does not know: one that is passed over would widen the answer unseen."""

    parameters: tuple[str, ...] = ()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """After who asks is known and may."""
        super().initial(request, *args, **kwargs)
        if unknown := set(request.query_params) - {*self.parameters, api_settings.URL_FORMAT_OVERRIDE}:
            known = f"Known: {', '.join(self.parameters)}." if self.parameters else "None is known here."
            raise ValidationError({"detail": f"{min(unknown)[:40]}: there is no such parameter. {known}"})
