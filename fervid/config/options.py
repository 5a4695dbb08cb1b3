"""Types of fields that say more than Python's own: switches whose help shows how to turn them off.

Other switches are off by themselves, and a form like --no-overwrite would say nothing.
"""

from typing import Annotated

from cyclopts import Parameter

Switch = Annotated[bool, Parameter(negative_bool="no-")]
AutoSwitch = Annotated[bool | None, Parameter(negative_bool="no-")]
